"""`eyewall run --workers`: what happens to workers, and to those who ask meanwhile."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support import eyewall
from tests.system.faults import Askers, ctl, get, until, workers_of

APP = """
import asyncio, os, time
from eyewall import Application

async def slow(request):
    print("running", flush=True)
    await asyncio.sleep(0.3)
    return "slow"

async def wait(request):
    print("running", flush=True)
    await asyncio.wait_for(gone_on.wait(), 30)
    return "waited"

gone_on = asyncio.Event()

def go_on(request):
    gone_on.set()
    return "goes on"

def hang(request):
    end = time.monotonic() + 30
    while time.monotonic() < end:
        pass

app = Application([
    (r"/", lambda request: f"VERSION {os.getpid()}"),
    (r"/slow", slow),
    (r"/wait", wait),
    (r"/go-on", go_on),
    (r"/hang", hang),
])
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "app.py").write_text(APP)
    return tmp_path


@pytest.fixture
def run(folder):
    """Starts a server with workers, whose control socket is `ctl` in the folder."""

    def run(*args, workers=2, **options):
        command = ("run", "--app-dir", str(folder), "--port", "0", "--no-access-log")
        own = ("--workers", str(workers), "--control", str(folder / "ctl"))
        return eyewall(*command, *own, *args, **options)

    return run


def test_workers_share_the_port_and_a_stop_lets_requests_finish(folder, run):
    with run(stdout=subprocess.PIPE) as server:
        url = server.url()
        pids = {get(url).split()[1] for _ in range(60)}
        assert len(pids) == 2
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(get, f"{url}/slow")
            assert server.popen.stdout.readline() == "running\n"
            assert server.stop() == 0
            assert answer.result() == "slow"
    assert not (folder / "ctl").exists()


def test_a_killed_worker_is_replaced_while_the_other_serves(folder, run):
    with run() as server:
        url = server.url()
        victim, other = (each["pid"] for each in workers_of(folder))
        os.kill(victim, signal.SIGKILL)
        assert server.wait_for(r"Worker (\d+) was ended by SIGKILL")[1] == str(victim)
        until(lambda: len(workers_of(folder)) == 2, "no new worker")
        pids = {each["pid"] for each in workers_of(folder)}
        assert other in pids
        assert victim not in pids
        assert get(url).startswith("VERSION")


def test_a_rolling_reload_brings_the_new_program_and_fails_no_request(folder, run):
    with run() as server:
        url = server.url()
        asking = Askers(url)
        for number in range(3):
            (folder / "app.py").write_text(APP.replace("VERSION", f"NEXT{number}"))
            assert ctl(folder, "reload") == {"generation": number + 2, "workers": 2}
        until(lambda: get(url).startswith("NEXT2"), "the last program does not serve")
        answers, failures = asking.stop()
        assert failures == []
        assert {status for status, _ in answers} == {200}
        assert {word for _, word in answers} >= {"VERSION", "NEXT2"}
        assert not any("Traceback" in line for line in server.log)


def test_a_program_that_does_not_start_leaves_the_old_one_serving(folder, run):
    with run() as server:
        url = server.url()
        before = {each["pid"] for each in workers_of(folder)}
        (folder / "app.py").write_text("import nothing_of_that_name")
        done = ctl(folder, "reload", check=False)
        assert done.returncode == 1
        assert (
            "The new workers do not serve (exited with code 3); the old ones go on" in done.stderr
        )
        assert {each["pid"] for each in workers_of(folder)} == before
        assert get(url).startswith("VERSION")
        (folder / "app.py").write_text(APP.replace("VERSION", "MENDED"))
        server.popen.send_signal(signal.SIGHUP)
        server.wait_for("Generation 3 serves")
        until(lambda: get(url).startswith("MENDED"), "the mended program does not serve")


def test_a_program_that_never_starts_ends_the_command_with_its_reason(folder, run):
    (folder / "app.py").write_text("1 / 0")
    with run() as server:
        assert server.end() == 3
        reasons = [line for line in server.log if "ZeroDivisionError" in line]
        assert reasons
        assert all(line.startswith("eyewall: importing 'app' failed") for line in reasons)


def test_a_stuck_worker_is_killed_and_says_where_it_was_stuck(folder, run):
    with run("--worker-timeout", "1", workers=1) as server:
        url = server.url()
        with socket.create_connection(url.removeprefix("http://").split(":")) as client:
            client.sendall(b"GET /hang HTTP/1.1\r\nHost: h\r\n\r\n")
            server.wait_for(r"Worker \d+ was stuck for \d s and is killed")
            assert "hang" in server.wait_for(r'File ".*app.py", line \d+ in (\w+)')[1]
            server.wait_for("was ended by SIGABRT and is replaced")
            assert client.recv(100) == b""
        assert get(url).startswith("VERSION")


def test_a_worker_is_replaced_after_its_requests_without_losing_one(folder, run):
    with run("--max-requests", "20", "--max-requests-jitter", "5", workers=1) as server:
        url = server.url()
        asking = Askers(url, 4)
        for _ in range(2):
            server.wait_for(r"Worker \d+ is replaced after \d+ requests")
            server.wait_for("Stopped")
        answers, failures = asking.stop()
        assert failures == []
        assert {status for status, _ in answers} == {200}


def test_the_number_of_workers_changes_by_command_and_signal(folder, run):
    with run(workers=1) as server:
        url = server.url()
        asking = Askers(url, 4)
        assert ctl(folder, "scale", "3") == {"workers": 3}
        assert len(workers_of(folder)) == 3
        server.popen.send_signal(signal.SIGTTOU)
        until(lambda: len(workers_of(folder)) == 2, "there are not two workers")
        server.popen.send_signal(signal.SIGTTIN)
        until(lambda: len(workers_of(folder)) == 3, "there are not three workers")
        assert ctl(folder, "scale", "1") == {"workers": 1}
        until(lambda: len(ctl(folder, "workers")) == 1, "there are more workers than one")
        _, failures = asking.stop()
        assert failures == []
        assert "between 1 and 1024" in ctl(folder, "scale", "0", check=False).stderr


def test_traffic_waits_while_it_is_suspended(folder, run):
    with run(stdout=subprocess.PIPE) as server:
        url = server.url()
        with ThreadPoolExecutor(12) as pool:
            running = pool.submit(get, f"{url}/slow")
            assert server.popen.stdout.readline() == "running\n"
            answer = ctl(folder, "suspend")
            # It came back only when nothing ran any more.
            assert running.done()
            assert answer == {"suspended": True, "workers": 2, "held": 0}
            waiting = [pool.submit(get, url) for _ in range(10)]
            until(lambda: ctl(folder, "status")["held"] == 10, "ten requests are not held")
            assert not any(each.done() for each in waiting)
            # A worker that starts meanwhile holds its requests too.
            assert ctl(folder, "scale", "3") == {"workers": 3}
            assert ctl(folder, "resume") == {"released": 10}
            assert all(each.result().startswith("VERSION") for each in waiting)
        assert get(url).startswith("VERSION")
        assert ctl(folder, "status")["suspended"] is False


def test_held_requests_of_workers_that_are_replaced_meanwhile_are_served(folder, run):
    """They waited until they were answered 503: only new workers were told to resume."""
    with run() as server:
        url = server.url()
        ctl(folder, "suspend")
        with ThreadPoolExecutor(4) as pool:
            waiting = [pool.submit(get, url) for _ in range(4)]
            until(lambda: ctl(folder, "status")["held"] == 4, "four requests are not held")
            assert ctl(folder, "reload")["generation"] == 2
            assert not any(each.done() for each in waiting)
            assert ctl(folder, "resume")["released"] == 4
            assert all(each.result().startswith("VERSION") for each in waiting)


def test_only_some_routes_are_suspended_and_the_time_ends_by_itself(folder, run):
    with run(workers=1) as server:
        url = server.url()
        ctl(folder, "suspend", "--route", "/slow*", "--for", "600ms")
        assert get(url).startswith("VERSION")
        began = time.monotonic()
        assert get(f"{url}/slow") == "slow"
        assert time.monotonic() - began > 0.5
        server.wait_for("The time of the suspension is up")
        server.wait_for("1 requests were held")


def test_a_request_that_goes_on_ends_a_suspension_that_waits_for_it(folder, run):
    with run(workers=1, stdout=subprocess.PIPE) as server:
        url = server.url()
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(get, f"{url}/wait")
            assert server.popen.stdout.readline() == "running\n"
            done = ctl(folder, "suspend", "--wait", "50ms", check=False)
            assert done.returncode == 1
            assert "1 requests still ran after 0.05 s; traffic goes on" in done.stderr
            get(f"{url}/go-on")
            assert running.result() == "waited"
        assert ctl(folder, "status")["suspended"] is False


def test_a_command_runs_in_a_window_without_traffic(folder, run):
    with run() as server:
        url = server.url()
        asking = Askers(url, 4)
        note = folder / "note"
        script = f"import pathlib; pathlib.Path({str(note)!r}).write_text('migrated')"
        done = ctl(folder, "window", "--", sys.executable, "-c", script, check=False)
        assert done.returncode == 0, done.stderr
        assert note.read_text() == "migrated"
        failing = ctl(folder, "window", "--", sys.executable, "-c", "exit(7)", check=False)
        assert failing.returncode == 7
        assert ctl(folder, "window", "--", "/no/such/program", check=False).returncode == 127
        assert ctl(folder, "status")["suspended"] is False
        _, failures = asking.stop()
        assert failures == []


def test_the_supervisor_becomes_another_without_closing_a_socket(folder, run):
    with run() as server:
        url = server.url()
        before = {each["pid"] for each in workers_of(folder)}
        asking = Askers(url, 4)
        version = ctl(folder, "upgrade")["version"]
        assert version.startswith("eyewall ")
        server.wait_for("The supervisor was upgraded; 2 workers go on")
        assert {each["pid"] for each in workers_of(folder)} == before
        assert ctl(folder, "reload")["generation"] == 2
        assert not {each["pid"] for each in workers_of(folder)} & before
        _, failures = asking.stop()
        assert failures == []
        assert server.stop() == 0


def test_workers_end_when_their_supervisor_is_killed(folder, run):
    with run() as server:
        server.url()
        pids = [each["pid"] for each in workers_of(folder)]
        server.popen.kill()
        server.popen.wait()
        until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in pids), "workers live on")


def test_a_thousand_connections_at_the_moment_of_a_reload_are_all_answered(folder, run):
    with run() as server:
        address = server.url().removeprefix("http://").split(":")
        clients = [socket.create_connection(address, timeout=20) for _ in range(1000)]
        server.popen.send_signal(signal.SIGHUP)
        for client in clients:
            client.sendall(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        for client in clients:
            with client:
                assert client.recv(100).startswith(b"HTTP/1.1 200 ")
        server.wait_for("Generation 2 serves")


def test_control_messages_that_cannot_be_read_get_an_error_and_a_line(folder, run):
    with run(workers=1) as server:
        server.url()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(folder / "ctl"))
            client.sendall(
                b'nonsense\n[1]\n{"id":1,"do":"dance"}\n{"id":2,"do":"scale","count":"x"}\n'
            )
            lines = client.makefile("rb")
            answers = [json.loads(lines.readline()) for _ in range(4)]
            lines.close()
        assert "not JSON" in answers[0]["error"]
        assert "not a JSON object" in answers[1]["error"]
        by_id = {each.get("id"): each["error"] for each in answers[2:]}
        assert by_id == {1: "there is no command 'dance'", 2: "count is the number of workers"}
        assert oct((folder / "ctl").stat().st_mode)[-3:] == "600"
        server.wait_for("A control message was refused: not JSON")


def test_every_task_of_every_worker_can_be_looked_at(folder, run):
    with run(workers=1, stdout=subprocess.PIPE) as server:
        url = server.url()
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(get, f"{url}/wait")
            assert server.popen.stdout.readline() == "running\n"
            stacks = ctl(folder, "stacks")
            found = [task for tasks in stacks.values() for task in tasks]
            lines = [line for task in found for line in task["stack"]]
            assert any("app.py" in line and line.endswith(" wait") for line in lines), lines
            get(f"{url}/go-on")
            assert running.result() == "waited"
        assert all(each["memory_mib"] > 5 for each in ctl(folder, "memory").values())
        assert set(ctl(folder, "log-level", "debug").values().__iter__().__next__()) == {"level"}


def test_systemd_is_told_and_its_sockets_are_used(folder, tmp_path):
    told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    told.bind(str(tmp_path / "notify"))
    told.settimeout(20)
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    script = 'exec env LISTEN_PID=$$ LISTEN_FDS=1 "$@" 3<&$FD'
    environment = {
        **os.environ,
        "NOTIFY_SOCKET": str(tmp_path / "notify"),
        "WATCHDOG_USEC": "300000",
        "FD": str(listening.fileno()),
    }
    server = subprocess.Popen(
        ["bash", "-c", script, "bash", sys.executable, "-m", "eyewall", "run", "--workers", "2",
         "--app-dir", str(folder), "--control", "off", "--pid", str(tmp_path / "pid")],
        env=environment, pass_fds=[listening.fileno()], stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        with told, listening:

            def hear(word):
                while word not in (text := told.recv(1000).decode()):
                    pass
                return text

            assert "STATUS=2 of 2 workers serve" in hear("READY=1")
            hear("WATCHDOG=1")
            assert get(f"http://127.0.0.1:{port}/").startswith("VERSION")
            assert int((tmp_path / "pid").read_text()) == server.pid
            server.send_signal(signal.SIGHUP)
            assert "MONOTONIC_USEC=" in hear("RELOADING=1")
            hear("READY=1")
            server.send_signal(signal.SIGTERM)
            hear("STOPPING=1")
            assert server.wait(timeout=20) == 0
            assert not (tmp_path / "pid").exists()
    finally:
        server.kill()
        server.communicate()


def test_workers_share_a_unix_socket(folder):
    place = folder / "web.sock"
    with eyewall(
        "run", "--app-dir", str(folder), "--unix", str(place), "--workers", "2", "--control", "off"
    ) as server:
        server.wait_for("serves the application on unix:")
        seen = set()
        for _ in range(40):
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(place))
                client.sendall(b"GET / HTTP/1.0\r\n\r\n")
                seen.add(client.makefile().read().split()[-1])
        assert 1 <= len(seen) <= 2
        assert server.stop() == 0
    assert not place.exists()


def test_wrong_numbers_of_workers_are_refused(folder):
    for count in ("0", "many", "-1"):
        with eyewall("run", "--app-dir", str(folder), "--workers", count) as server:
            assert server.end() == 2
            assert "--workers" in server.log[-1]
    with eyewall("run", "--app-dir", str(folder), "--workers", "2", "--reload") as server:
        assert server.end() == 2
        assert "exclude each other" in server.log[-1]
