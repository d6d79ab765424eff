"""`eyewall routes`, `check`, `new`, `bench` and `completion` as people call them."""

import json
import os
import re
import shlex
import socket
import subprocess
import sys
import urllib.request
from importlib.metadata import entry_points

import pytest

from tests.support import eyewall, require

PLUGIN = "eyewall_pytest.plugin"


def command(*args, cwd=None, **env):
    return subprocess.run(
        [sys.executable, "-m", "eyewall", *args],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=cwd,
        env={**os.environ, **env},
    )


def write(folder, text):
    (folder / "app.py").write_text(text)
    return str(folder)


SITE = """
from eyewall import Application, RequestHandler
from eyewall.web import Mount
from eyewall.web.routing.rules import URLSpec

class Home(RequestHandler):
    def get(self): self.write("home")
    def post(self): self.write("posted")

def wsgi(environ, start_response): return []

inner = Application([(r"/x", Home)])
app = Application([URLSpec(r"/", Home, name="home"), Mount("/inner", inner)])
app.add_handlers(r"admin\\.example", [(r"/", lambda request: "admin")])

@app.get("/users/{id:int}", name="user")
def user(request, id): return str(id)

@app.post("/users/{id:int}")
def save(request, id): return str(id)
"""


def test_the_routes_are_listed_with_hosts_mounts_and_names(tmp_path):
    done = command("routes", "--app-dir", write(tmp_path, SITE), "--json")
    assert done.returncode == 0, done.stderr
    found = [tuple(line.values()) for line in json.loads(done.stdout)]
    assert found == [
        ("/", ["any"], "app.<lambda>", None, r"admin\.example"),
        ("/", ["GET", "POST"], "app.Home", "home", None),
        ("/inner/x", ["GET", "POST"], "app.Home", None, None),
        ("/users/{id:int}", ["GET", "POST"], "app.user, app.save", "user", None),
    ]
    text = command("routes", "--app-dir", str(tmp_path)).stdout.splitlines()
    assert text[0].split() == ["path", "methods", "served", "by", "name", "host"]
    assert len(text) == 5


def test_a_program_without_routes_to_show_is_named(tmp_path):
    write(tmp_path, "def app(environ, start_response): return []")
    done = command("routes", "--app-dir", str(tmp_path))
    assert (done.returncode, done.stderr) == (3, "eyewall: function keeps its routes to itself\n")


def test_a_sound_configuration_has_no_findings(tmp_path):
    done = command("check", "--app-dir", write(tmp_path, SITE), "--port", "0")
    assert (done.returncode, done.stdout) == (0, "0 errors, 0 warnings\n")


@pytest.mark.parametrize(("program", "options", "finding"), [
    ("1 / 0", (), "error: importing 'app' failed: .*ZeroDivisionError"),
    ("from eyewall import Application\napp = Application(cookie_secret='x' * 10)", (),
     "error: cookie_secret has 10 characters"),
    ("from eyewall import Application\napp = Application(cookie_secret={1: 'x' * 40})", (),
     "error: key_version None is none of cookie_secret's"),
    ("from eyewall import Application\napp = Application(debug=True)", (),
     "warning: errors are answered with tracebacks"),
    ("from eyewall import Application\napp = Application(static_path='/no/such')", (),
     "error: static_path: there is no folder /no/such"),
    ("from eyewall import Application\ndef f(r): 0\napp = Application([('/.*', f), ('/b', f)])", (),
     "warning: /b stands behind /.*, which matches every path"),
    ("from eyewall import Application\ndef f(r): pass\napp = Application([('/a', f), ('/a', f)])", (),
     "warning: /a is served by app.f, so never by app.f"),
    (SITE, ("--workers", "none"), "error: --workers is a number"),
    (SITE, ("--workers", "2", "--reload"), "error: --workers and --reload exclude each other"),
    (SITE, ("--log-level", "loud"), "error: there is no log level 'loud'"),
    (SITE, ("--log-format", "xml"), 'error: the log format is "text" or "json"'),
    (SITE, ("--log-file", "/no/such/log"), "error: --log-file: there is no folder /no/such"),
    (SITE, ("--certfile", "/no/such.pem"), "error: .*such.pem"),
    (SITE, ("--keyfile", "/no/such.pem"), "error: --keyfile and --ca-certs need a --certfile"),
    (SITE, ("--forwarded-allow-ips", "*"), "warning: every client's forwarding headers"),
    (SITE, ("--metrics",), "warning: --metrics counts, but only --admin"),
    (SITE, ("--admin", "nowhere"), "error: 'nowhere' is not host:port"),
    (SITE, ("--bind", "192.0.2.1:80"), "error: .*192.0.2.1"),
])  # fmt: skip
def test_mistakes_are_found_before_it_serves(tmp_path, program, options, finding):
    done = command("check", "--app-dir", write(tmp_path, program), "--port", "0", *options)
    assert re.search(f"^{finding}", done.stdout, re.MULTILINE), done.stdout + done.stderr
    assert done.returncode == finding.startswith("error")
    assert "Traceback" not in done.stderr


def test_an_address_that_somebody_has_is_found(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = command("check", "--app-dir", write(tmp_path, SITE), "--port", port)
    assert done.returncode == 1
    assert port in done.stdout


@pytest.mark.parametrize(("template", "greeting"), [
    ("minimal", "shop works"), ("chat", "<title>shop</title>"), ("django", "shop works"),
])  # fmt: skip
def test_a_new_project_passes_its_tests_and_serves(tmp_path, template, greeting):
    made = command("new", "shop", "--template", template, cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    folder = tmp_path / "shop"
    listed = {line for line in made.stdout.splitlines() if line.startswith("shop/")}
    assert listed == {
        str(path.relative_to(tmp_path)) for path in folder.rglob("*") if path.is_file()
    }
    assert not any("@NAME@" in path.read_text() for path in folder.rglob("*.py"))
    # Where Eyewall is installed its plugin is there by itself.
    installed = any(found.value == PLUGIN for found in entry_points(group="pytest11"))
    plugin = () if installed else ("-p", PLUGIN)
    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *plugin, "-p", "no:cacheprovider",
 "-c", os.devnull, "--rootdir", str(folder)],
        cwd=folder, capture_output=True, text=True, timeout=120,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    assert tested.returncode == 0, tested.stdout + tested.stderr
    checked = command("check", "--app-dir", str(folder), "--port", "0")
    assert checked.returncode == 0, checked.stdout
    with (
        eyewall("run", "--app-dir", str(folder), "--port", "0", "--control", "off") as server,
        urllib.request.urlopen(server.url(), timeout=30) as answer,
    ):
        assert greeting in answer.read().decode()


def test_a_folder_with_something_in_it_is_left_alone(tmp_path):
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "mine").write_text("mine")
    done = command("new", "shop", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == "eyewall: shop is there already, and not empty\n"
    assert [path.name for path in (tmp_path / "shop").iterdir()] == ["mine"]


@pytest.mark.parametrize("name", ["my-shop", "class", "1st", "../up", ""])
def test_a_name_that_is_no_module_s_is_refused(tmp_path, name):
    done = command("new", "--", name, cwd=tmp_path)
    assert done.returncode == 2
    assert "cannot be the name of a Python module" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_load_run_says_how_fast_it_was(tmp_path):
    with eyewall(
        "run", "--app-dir", write(tmp_path, SITE), "--port", "0", "--no-access-log"
    ) as site:
        done = command("bench", f"{site.url()}/users/7", "-c", "2", "-d", "1200ms")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].split() == [
        "seconds",
        "answers",
        "a",
        "second",
        "p50",
        "ms",
        "p99",
        "ms",
        "failed",
    ]
    answers, per_second, p50 = (float(word) for word in lines[1].split()[1:4])
    assert answers > 0
    assert per_second > 0
    assert p50 > 0
    assert re.search(r"^statuses: 200: \d+$", done.stdout, re.MULTILINE)
    assert re.search(
        r"^milliseconds: p50 [\d.]+, p90 [\d.]+, p99 [\d.]+", done.stdout, re.MULTILINE
    )


def test_a_load_run_against_nobody_fails_and_says_why():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    done = command("bench", f"http://127.0.0.1:{port}/", "-d", "200ms", "-c", "2")
    assert done.returncode == 1
    assert "0 answers" in done.stdout
    assert re.search(r"failed: \d+ x ", done.stdout)


@pytest.mark.parametrize(("args", "why"), [
    (("nonsense",), "nonsense"),
    (("http://h/", "-c", "0"), "--connections is a number"),
    (("http://h/", "-H", "no colon"), "a header is NAME: VALUE"),
])  # fmt: skip
def test_a_load_run_that_cannot_be_is_refused(args, why):
    done = command("bench", *args, "-d", "100ms")
    assert done.returncode == 2, done.stdout + done.stderr
    assert why in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("words", "expected"), [
    (["eyewall", "r"], {"run", "routes"}),
    (["eyewall", "ctl", "su"], {"suspend"}),
    (["eyewall", "ctl", "suspend", "--r"], {"--route"}),
    (["eyewall", "ctl", "log-level", "w"], {"warning"}),
    (["eyewall", "run", "app:app", "--worker"], {"--workers", "--worker-timeout", "--worker-start-timeout"}),
    (["eyewall", "completion", ""], {"bash", "zsh", "fish", "--help"}),
    (["eyewall", "new", "shop", "--temp"], {"--template"}),
])  # fmt: skip
def test_bash_completes_the_command_s_words(words, expected):
    script = command("completion", "bash").stdout
    asked = " ".join(map(shlex.quote, words))
    done = subprocess.run(
        [require("bash"), "--norc", "-c",
         f'{script}\nCOMP_WORDS=({asked}); COMP_CWORD={len(words) - 1}; _eyewall\nprintf "%s\\n" "${{COMPREPLY[@]}}"'],
        capture_output=True, text=True, timeout=20,
    )  # fmt: skip
    assert done.stderr == ""
    assert set(done.stdout.split()) == expected


def test_zsh_reads_its_script():
    script = command("completion", "zsh").stdout
    done = subprocess.run(
        [require("zsh"), "-f", "-c", f"autoload -U compinit; compinit -u -D\n{script}\nwhich _eyewall"],
        capture_output=True, text=True, timeout=20,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "compgen" in done.stdout


def test_fish_completes_the_command_s_words(tmp_path):
    file = tmp_path / "eyewall.fish"
    file.write_text(command("completion", "fish").stdout)
    done = subprocess.run(
        [require("fish"), "-N", "-c", f"source {file}; complete -C 'eyewall ctl su'"],
        capture_output=True, text=True, timeout=20, env={**os.environ, "HOME": str(tmp_path)},
    )  # fmt: skip
    assert done.stdout.split() == ["suspend"]
