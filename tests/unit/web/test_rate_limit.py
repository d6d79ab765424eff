"""Rate limits: nobody gets more than the rate gives, and everybody gets what it gives."""

import asyncio
import subprocess
import tempfile
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.base.errors import ConfigurationError
from eyewall.web import Application, RequestHandler, stream_request_body
from eyewall.web.rate_limit import (
    MemoryRateLimits,
    Rate,
    RateLimitError,
    by_address,
    rate_limit,
)
from tests.conftest import Live
from tests.support import require


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.mark.parametrize(("text", "rate"), [
    ("10/minute", (10, 60)), ("1/second", (1, 1)), ("100 / 15 minutes", (100, 900)),
    ("5/hours", (5, 3600)), ("1000/2days", (1000, 172800)),
])  # fmt: skip
def test_texts_name_rates(text, rate):
    assert Rate.parse(text) == rate


@pytest.mark.parametrize(
    "text", ["", "10", "0/minute", "10/0 minutes", "-1/minute", "1/week", "²/minute", "9" * 100_000]
)
def test_what_is_no_rate_is_refused(text):
    with pytest.raises(ConfigurationError, match="is no rate"):
        Rate.parse(text)


def test_an_allowance_is_used_up_and_comes_back_evenly():
    clock = Clock()
    store, rate = MemoryRateLimits(clock=clock), Rate(3, 60)
    assert [store.take("a", rate).remaining for _ in range(3)] == [2, 1, 0]
    refused = store.take("a", rate)
    assert (refused.allowed, refused.retry_s, refused.reset_s) == (False, 20, 60)
    assert store.take("b", rate).allowed
    clock.now += 19.9
    assert not store.take("a", rate).allowed
    clock.now += 0.1
    assert store.take("a", rate).allowed
    assert not store.take("a", rate).allowed


def test_a_refused_request_costs_nothing():
    clock = Clock()
    store, rate = MemoryRateLimits(clock=clock), Rate(1, 10)
    store.take("a", rate)
    for _ in range(100):
        assert not store.take("a", rate).allowed
    clock.now += 10
    assert store.take("a", rate).allowed


@given(
    st.integers(1, 20),
    st.integers(1, 100),
    st.lists(st.floats(0, 50, allow_nan=False), max_size=80),
)
def test_no_stretch_of_time_gives_more_than_its_share(limit, period_s, gaps):
    clock = Clock()
    store, rate = MemoryRateLimits(clock=clock), Rate(limit, period_s)
    passed = []
    for gap in gaps:
        clock.now += gap
        decision = store.take("key", rate)
        assert 0 <= decision.remaining < limit
        assert 0 <= decision.reset_s <= period_s + 1e-3
        assert decision.retry_s == 0 or not decision.allowed
        if decision.allowed:
            passed.append(clock.now)
    for at, start in enumerate(passed):
        for count, end in enumerate(passed[at:], 1):
            assert count <= limit + (end - start) * limit / period_s + 1e-3


@given(st.integers(1, 20), st.integers(1, 100))
def test_what_remains_may_be_used_at_once(limit, period_s):
    store, rate = MemoryRateLimits(clock=Clock()), Rate(limit, period_s)
    left = store.take("key", rate).remaining
    assert left == limit - 1
    assert [store.take("key", rate).allowed for _ in range(left + 1)] == [True] * left + [False]


def test_memory_is_bounded_and_forgets_what_is_whole_again():
    clock = Clock()
    store, rate = MemoryRateLimits(most=10, clock=clock), Rate(1, 60)
    for number in range(1000):
        store.take(str(number), rate)
        assert len(store) <= 10
    clock.now += 60
    for _ in range(20):
        store.take("one", rate)
    assert len(store) == 1
    with pytest.raises(ConfigurationError, match="at least one"):
        MemoryRateLimits(most=0)


def test_one_who_is_refused_is_not_forgotten_while_trying():
    store, rate = MemoryRateLimits(most=3, clock=Clock()), Rate(1, 60)
    store.take("abuser", rate)
    for number in range(50):
        store.take(str(number), rate)
        assert not store.take("abuser", rate).allowed


@pytest.mark.parametrize(("address", "key"), [
    ("192.0.2.7", "192.0.2.7"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
    ("2001:db8:1:2::1", "2001:db8:1:2::/64"), ("::ffff:192.0.2.7", "192.0.2.7"),
    ("", ""), ("unix", "unix"),
])  # fmt: skip
def test_clients_are_counted_by_what_they_own(address, key):
    assert by_address(SimpleNamespace(request=SimpleNamespace(remote_ip=address))) == key


class Page(RequestHandler):
    @rate_limit("2/minute", name="page")
    def get(self):
        self.write("page")

    @rate_limit("1/minute", key=lambda handler: handler.get_argument("user", None))
    async def post(self):
        self.write("posted")

    @rate_limit("10/minute", name="burst")
    @rate_limit("1/hour", name="sustained")
    def put(self):
        self.write("put")


class Prepared(RequestHandler):
    @rate_limit("1/minute")
    def prepare(self):
        self.prepared = True

    def get(self):
        self.write(str(self.prepared))


@stream_request_body
class Streamed(RequestHandler):
    @rate_limit("1/minute")
    def prepare(self):
        self.size = 0

    def data_received(self, chunk):
        self.size += len(chunk)

    def post(self):
        self.write(str(self.size))


class Own(RequestHandler):
    @rate_limit("1/minute", name="own")
    def get(self):
        self.set_header("X-Left", "over")
        self.write("own")

    def write_error(self, status_code, **kwargs):
        self.write({"slower": status_code})


def make(**settings):
    routes = [("/", Page), ("/prepared", Prepared), ("/own", Own), ("/streamed", Streamed)]
    return Application(routes, access_log=False, **settings)


async def ask(live, target="/", method="GET"):
    peer = await live.connect()
    length = "" if method == "GET" else "Content-Length: 0\r\n"
    peer.send(f"{method} {target} HTTP/1.1\r\nHost: h\r\n{length}\r\n".encode())
    answer = await peer.answer()
    await peer.close()
    return answer


@pytest.fixture
def serve(run):
    def serve(main, **settings):
        async def served():
            live = Live(make(**settings))
            try:
                return await main(live)
            finally:
                live.close()

        return run(served)

    return serve


def test_answers_say_what_is_left_and_a_429_when_to_come_again(serve, caplog):
    clock = Clock()

    async def main(live):
        answers = [await ask(live) for _ in range(3)]
        clock.now += 30
        return [*answers, await ask(live)]

    first, second, third, later = serve(main, rate_limit_store=MemoryRateLimits(clock=clock))
    assert first[0] == second[0] == later[0] == 200
    assert first[1]["ratelimit-policy"] == '"page";q=2;w=60'
    assert first[1]["ratelimit"] == '"page";r=1;t=30'
    assert second[1]["ratelimit"] == '"page";r=0;t=60'
    assert "retry-after" not in first[1]
    assert (third[0], third[1]["retry-after"]) == (429, "30")
    assert third[1]["ratelimit"] == '"page";r=0;t=60'
    assert b"429: Too Many Requests" in third[2]
    assert not caplog.records


def test_keys_are_counted_apart_and_no_key_is_not_counted(serve):
    async def main(live):
        targets = ["/?user=a", "/?user=a", "/?user=b", "/", "/", "/?user=" + "x" * 5000]
        return [(await ask(live, target, "POST"))[0] for target in targets]

    store = MemoryRateLimits()
    assert serve(main, rate_limit_store=store) == [200, 429, 200, 200, 200, 200]
    assert max(map(len, store._whole_at)) <= 128


def test_the_allowance_is_the_applications_own(run):
    async def main():
        lives = [Live(make()), Live(make())]
        statuses = [(await ask(live, "/own"))[0] for live in [*lives, *lives]]
        for live in lives:
            live.close()
        return statuses

    assert run(main) == [200, 200, 429, 429]


def test_several_limits_of_one_verb_all_count(serve):
    async def main(live):
        return [await ask(live, "/", "PUT") for _ in range(2)]

    first, second = serve(main)
    assert (first[0], second[0]) == (200, 429)
    assert int(second[1]["retry-after"]) > 3000


def test_prepare_can_be_limited_and_then_no_verb_is_called(serve):
    async def main(live):
        return [(await ask(live, "/prepared"))[::2] for _ in range(2)]

    (first, body), (second, _) = serve(main)
    assert (first, body, second) == (200, b"True", 429)


@pytest.mark.parametrize("waits", [False, True])
def test_a_streamed_body_is_refused_before_it_comes(serve, waits):
    async def main(live):
        passed = await ask(live, "/streamed", "POST")
        peer = await live.connect()
        # Of this body nothing is ever sent.
        peer.send(b"POST /streamed HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n")
        refused = await peer.answer()
        await peer.close()
        return passed[0], refused[0]

    store = Waiting() if waits else MemoryRateLimits()
    assert serve(main, rate_limit_store=store) == (200, 429)


def test_the_page_of_a_429_is_the_handlers_own(serve):
    async def main(live):
        return [await ask(live, "/own") for _ in range(2)][1]

    status, headers, body = serve(main)
    assert (status, body) == (429, b'{"slower":429}')
    assert "x-left" not in headers


class Waiting:
    """A store that waits, and may not know."""

    def __init__(self, knows=True):
        self.inner, self.knows = MemoryRateLimits(), knows

    async def take(self, key, rate):
        await asyncio.sleep(0)
        if not self.knows:
            raise RateLimitError("not known")
        return self.inner.take(key, rate)


def test_stores_may_wait(serve):
    async def main(live):
        targets = [("/own", "GET"), ("/own", "GET"), ("/prepared", "GET"), ("/prepared", "GET"),
                   ("/?user=a", "POST"), ("/?user=a", "POST")]  # fmt: skip
        return [(await ask(live, *target))[0] for target in targets]

    assert serve(main, rate_limit_store=Waiting()) == [200, 429] * 3
    assert serve(main, rate_limit_store=Waiting(knows=False))[0] == 503


def test_a_store_that_cannot_know_at_once_is_a_503_too(serve):
    class Broken:
        def take(self, key, rate):
            raise RateLimitError("not known")

    async def main(live):
        return (await ask(live, "/own"))[0]

    assert serve(main, rate_limit_store=Broken()) == 503


def test_mistakes_are_told_when_the_class_is_made(run):
    with pytest.raises(ConfigurationError, match="is no rate"):
        rate_limit("often")
    with pytest.raises(ConfigurationError, match="cannot name"):
        rate_limit("1/minute", name='"')
    with pytest.raises(TypeError, match="methods of a RequestHandler"):
        rate_limit("1/minute")(lambda request: "x")(object())


@pytest.fixture
def redis():
    require("redis-server")
    # The path of a Unix socket may have 107 bytes.
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/redis.sock"
        server = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", path, "--save", "", "--dir", folder],
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            for line in server.stdout:
                if "eady to accept connections" in line:
                    break
            yield path, server
        finally:
            server.kill()
            server.wait(10)
            server.stdout.close()


def test_redis_counts_for_all_processes_and_forgets(run, redis):
    from eyewall.web.redis_rate_limits import RedisRateLimits

    path, _ = redis

    async def main():
        stores = [RedisRateLimits(f"unix://{path}") for _ in range(2)]
        rate = Rate(10, 3600)
        taken = await asyncio.gather(*(stores[n % 2].take("a", rate) for n in range(30)))
        kept = await stores[0]._client.pttl("rate:a")
        other = await stores[0].take("b", rate)
        for store in stores:
            await store.close()
        return taken, kept, other

    taken, kept, other = run(main)
    assert sum(decision.allowed for decision in taken) == 10
    assert sorted(d.remaining for d in taken if d.allowed) == list(range(10))
    assert all(0 < d.retry_s <= 360 for d in taken if not d.allowed)
    assert 0 < kept <= 3_600_000
    assert (other.allowed, other.remaining) == (True, 9)


def test_without_redis_requests_pass_or_are_refused_with_one_line_in_the_log(run, redis, caplog):
    from eyewall.web.redis_rate_limits import RedisRateLimits

    path, server = redis
    server.kill()
    server.wait(10)

    async def main():
        closed, opened = (
            RedisRateLimits(f"unix://{path}", fail_open=fail_open) for fail_open in (False, True)
        )
        for _ in range(3):
            with pytest.raises(RateLimitError, match="cannot be asked"):
                await closed.take("a", Rate(1, 60))
            assert (await opened.take("a", Rate(1, 60))).allowed
        await closed.close()
        await opened.close()

    run(main)
    assert len([r for r in caplog.records if "cannot be read from Redis" in r.message]) == 2
