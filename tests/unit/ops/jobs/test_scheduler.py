"""Jobs run when their time comes, and never twice at once."""

import asyncio
import datetime
import threading

import pytest
from redis import asyncio as redis

from eyewall.base.errors import StartupError
from eyewall.base.jobs import Job, make_schedule
from eyewall.base.stats import registry
from eyewall.ops.jobs.locks import MachineLock, RedisFleet
from eyewall.ops.jobs.scheduler import Scheduler
from eyewall.testing.clock import FakeClock
from eyewall.web import Application

START = datetime.datetime(2026, 11, 21, 5, 59, 30, tzinfo=datetime.UTC).timestamp()


class Times:
    """Notes when it was called, by the clock of the loop and an offset that a test may change."""

    def __init__(self):
        self.calls, self.changed = [], asyncio.Event()
        self.offset = START - asyncio.get_running_loop().time()

    def __call__(self):
        return self.offset + asyncio.get_running_loop().time()

    def note(self, value=None):
        self.calls.append(round(self() - START) if value is None else value)
        self.changed.set()

    async def until(self, count):
        while len(self.calls) < count:
            self.changed.clear()
            await self.changed.wait()


def job(function, interval=None, cron=None, **more):
    return Job(
        more.pop("name", "job"), function, make_schedule(interval, cron, datetime.UTC), **more
    )


@pytest.fixture
def in_fake_time():
    def in_fake_time(main):
        with asyncio.Runner(loop_factory=FakeClock().new_event_loop) as runner:
            return runner.run(main())

    return in_fake_time


def test_an_interval_and_a_cron_line_come_when_they_should(in_fake_time):
    async def main():
        times = Times()

        async def often():
            times.note()

        async def daily():
            times.note("daily")

        scheduler = Scheduler(
            [job(often, 20), job(daily, cron="0 6 * * *", name="daily")], clock=times
        )
        scheduler.start()
        await times.until(4)
        await scheduler.stop()
        assert sorted(map(str, times.calls[:4])) == ["10", "30", "50", "daily"]

    in_fake_time(main)


def test_a_run_that_fails_is_logged_and_the_next_one_comes(in_fake_time, caplog):
    async def main():
        times = Times()

        async def fails():
            times.note()
            raise RuntimeError("broken")

        scheduler = Scheduler([job(fails, "10s", name="fails")], clock=times)
        scheduler.start()
        await times.until(3)
        await scheduler.stop()

    in_fake_time(main)
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"][
        :2
    ] == ["Job fails failed"] * 2
    assert "eyewall_job_runs_total" in {family.name for family in registry.families()}


def test_a_run_that_still_runs_leaves_the_next_one_out(in_fake_time, caplog):
    async def main():
        times = Times()

        async def long():
            times.note()
            await asyncio.sleep(25)

        scheduler = Scheduler([job(long, "10s", name="long")], clock=times)
        scheduler.start()
        await times.until(2)
        await scheduler.stop()
        assert times.calls[1] - times.calls[0] == 30

    in_fake_time(main)
    left_out = [r for r in caplog.records if "still runs, so it is left out" in r.getMessage()]
    assert len(left_out) == 2


def test_a_run_that_takes_too_long_is_cancelled(in_fake_time, caplog):
    async def main():
        times = Times()

        async def long():
            try:
                await asyncio.sleep(1000)
            finally:
                times.note()

        scheduler = Scheduler([job(long, "100s", name="long", timeout_s=5)], clock=times)
        scheduler.start()
        await times.until(1)
        await scheduler.stop()

    in_fake_time(main)
    assert "Job long was cancelled after 5 s" in caplog.text


def test_a_stop_waits_for_what_runs(in_fake_time):
    async def main():
        times, ended = Times(), []

        async def long():
            times.note()
            await asyncio.sleep(20)
            ended.append(True)

        scheduler = Scheduler([job(long, "10s")], clock=times)
        scheduler.start()
        await times.until(1)
        await scheduler.stop(30)
        assert ended == [True]

    in_fake_time(main)


def test_a_clock_that_is_set_does_not_stop_or_flood_jobs(in_fake_time):
    async def main():
        times = Times()

        async def often():
            times.note()

        scheduler = Scheduler([job(often, 60)], clock=times)
        scheduler.start()
        await times.until(1)
        times.offset += 3600
        await times.until(2)
        times.offset -= 7200
        await times.until(4)
        await scheduler.stop()
        assert len(times.calls) == 4
        assert times.calls[3] - times.calls[2] == 60

    in_fake_time(main)


def test_a_plain_function_runs_in_a_thread(run):
    async def main():
        ran = threading.Event()
        names = []

        def plain():
            names.append(threading.current_thread())
            ran.set()

        scheduler = Scheduler([job(plain, "100ms")])
        scheduler.start()
        await asyncio.to_thread(ran.wait, 20)
        await scheduler.stop()
        assert names[0] is not threading.main_thread()

    run(main)


def test_one_of_two_has_the_machine_and_the_other_takes_over(run, tmp_path):
    async def main():
        path = str(tmp_path / "lock")
        first_ran, second_ran = asyncio.Event(), asyncio.Event()

        async def first():
            first_ran.set()

        async def second():
            assert stopped
            second_ran.set()

        stopped = []
        one = Scheduler([job(first, "100ms")], MachineLock(path))
        two = Scheduler([job(second, "100ms")], MachineLock(path))
        one.start()
        await first_ran.wait()
        two.start()
        first_ran.clear()
        await first_ran.wait()
        assert not second_ran.is_set()
        stopped.append(True)
        await one.stop()
        await second_ran.wait()
        await two.stop()

    run(main)


def test_a_lock_that_cannot_be_had_is_named(tmp_path):
    with pytest.raises(StartupError, match="jobs need the file .*no/lock"):
        MachineLock(str(tmp_path / "no" / "lock")).take()


def test_machines_that_share_a_redis_run_each_moment_once(run, redis_path):
    async def main():
        runs, enough = [], asyncio.Event()
        alone = asyncio.Lock()

        def scheduler_of(machine):
            async def work():
                assert not alone.locked()
                async with alone:
                    runs.append(machine)
                    await asyncio.sleep(0)
                if len(runs) >= 6:
                    enough.set()

            fleet = RedisFleet(f"unix://{redis_path}", "moments:")
            return Scheduler([job(work, "200ms", name="shared")], None, fleet)

        schedulers = [scheduler_of(machine) for machine in "abc"]
        for scheduler in schedulers:
            scheduler.start()
        await enough.wait()
        for scheduler in schedulers:
            await scheduler.stop()
        client = redis.Redis(unix_socket_path=redis_path)
        claimed = len(await client.keys("moments:shared:at:*"))
        await client.aclose()
        assert claimed == len(runs)

    run(main)


def test_while_one_machine_works_the_others_leave_the_job_alone(run, redis_path):
    async def main():
        one, two = (RedisFleet(f"unix://{redis_path}", "alone:") for _ in range(2))
        assert await one.begin("job", 1.0, 60)
        assert not await two.begin("job", 2.0, 60)
        await one.renew("job")
        await two.end("job")
        assert not await two.begin("job", 3.0, 60)
        await one.end("job")
        assert not await two.begin("job", 1.0, 60)
        assert await two.begin("job", 4.0, 60)
        await two.end("job")
        await one.close()
        await two.close()

    run(main)


def test_a_redis_that_is_gone_leaves_runs_out_and_says_so(run, tmp_path, caplog):
    async def main():
        fleet = RedisFleet(f"unix://{tmp_path}/none")
        worked = []

        async def work():
            worked.append(True)

        scheduler = Scheduler([job(work, "100ms", name="shared")], None, fleet)
        scheduler.start()
        while "nobody can say whose turn it is" not in caplog.text:
            await asyncio.sleep(0)
        await scheduler.stop()
        assert worked == []

    run(main)


def test_jobs_are_declared_on_the_application():
    app = Application()

    @app.every("5m", name="refresh", once_per="worker", timeout_s=10)
    async def refresh():
        pass

    @app.every(cron="@daily")
    def clean():
        pass

    assert [one.name for one in app.jobs] == ["refresh", f"{__name__}.{clean.__qualname__}"]
    assert app.jobs[0].schedule.seconds == 300
    with pytest.raises(ValueError, match="a job named 'refresh' already"):
        app.every(1, name="refresh")(refresh)


@pytest.mark.parametrize(("args", "why"), [
    ({}, "say either how often"), ({"interval": 1, "cron": "@daily"}, "say either how often"),
    ({"interval": 0}, "every 0.1 s at most"), ({"interval": "5 apples"}, "no time such as"),
    ({"interval": float("nan")}, "at most"), ({"cron": "x"}, "a cron line five"),
    ({"interval": 1, "once_per": "moon"}, "once_per is one of fleet, machine, worker"),
])  # fmt: skip
def test_mistakes_are_named_at_the_declaration(args, why):
    with pytest.raises(ValueError, match=why):
        Application().every(**args)
