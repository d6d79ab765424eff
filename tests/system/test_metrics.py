"""Metrics and health on an address of their own, of one process and of several."""

import os
import signal
import urllib.error
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support import eyewall
from tests.system.test_supervisor import APP, ctl, get, until, workers_of


@pytest.fixture
def run(tmp_path):
    (tmp_path / "app.py").write_text(APP)

    def run(*args):
        own = ("--control", str(tmp_path / "ctl"), "--app-dir", str(tmp_path), "--port", "0")
        return eyewall("run", *own, "--metrics", "--admin", "127.0.0.1:0", *args)

    return run


def addresses(server):
    """Of the application, and of what is beside it."""
    found = [server.wait_for(r"(http://[0-9.:]+)") for _ in range(2)]
    admin = next(match for match in found if "Health checks" in match.string)
    return next(match for match in found if match is not admin)[1], admin[1]


def scrape(admin):
    """All samples by name and labels."""
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(get(f"{admin}/metrics"))
        for sample in family.samples
    }


def count(admin, route="/"):
    labels = (("method", "GET"), ("route", route), ("status", "200"))
    return scrape(admin).get(("eyewall_request_duration_seconds_count", *labels), 0)


def test_one_process_counts_its_requests_and_itself(run):
    with run() as server:
        url, admin = addresses(server)
        for _ in range(3):
            get(url)
        get(f"{url}/slow")
        found = scrape(admin)
        assert count(admin) == 3
        assert count(admin, "/slow") == 1
        assert found["eyewall_requests_total",] == 4
        assert found["eyewall_requests_in_flight",] == 0
        assert found["process_resident_memory_bytes",] > 1_000_000
        assert found["eyewall_engine_turns_total",] > 0
        until(lambda: scrape(admin)["eyewall_loop_lag_seconds_count",] > 0, "no lag was seen")
        assert get(f"{admin}/healthz") == "alive\n"
        assert get(f"{admin}/readyz") == "ready\n"
        with pytest.raises(urllib.error.HTTPError) as none:
            get(f"{admin}/nothing")
        none.value.close()
        assert none.value.code == 404


def test_what_workers_count_is_added_up_and_never_goes_down(run, tmp_path):
    with run("--workers", "2") as server:
        url, admin = addresses(server)
        for _ in range(40):
            get(url)
        found = scrape(admin)
        assert count(admin) == 40
        assert found["eyewall_requests_total",] == 40
        assert {key for key in found if key[0] == "process_open_fds"} == {
            ("process_open_fds", ("worker", "0")),
            ("process_open_fds", ("worker", "1")),
        }
        assert found["eyewall_workers", ("state", "ready")] == 2
        ctl(tmp_path, "reload")
        get(url)
        until(lambda: len(ctl(tmp_path, "workers")) == 2, "the old workers do not go")
        assert count(admin) == 41
        assert scrape(admin)["eyewall_generation",] == 2
        victim = workers_of(tmp_path)[0]["pid"]
        os.kill(victim, signal.SIGKILL)
        server.wait_for("SIGKILL")
        # What it has counted since somebody asked last is lost with it.
        assert count(admin) == 41
        families = {each["name"]: each for each in ctl(tmp_path, "metrics")}
        assert families["eyewall_workers"]["labels"] == ["state"]
        assert server.stop() == 0


def test_the_address_survives_an_upgrade_of_the_supervisor(run, tmp_path):
    with run("--workers", "1") as server:
        url, admin = addresses(server)
        get(url)
        ctl(tmp_path, "upgrade")
        server.wait_for("The supervisor was upgraded")
        assert get(f"{admin}/readyz") == "ready\n"
        assert count(admin) == 1
        assert server.stop() == 0


def test_an_address_that_cannot_be_used_is_named(run, tmp_path):
    with eyewall("run", "--app-dir", str(tmp_path), "--admin", "nowhere") as server:
        assert server.end() == 3
        assert any("'nowhere' is not host:port" in line for line in server.log)
