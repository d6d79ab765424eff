"""The suite for backplanes, on each of them."""

import asyncio
import re
import secrets
import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.pubsub import BackplaneError, Gap, Hub, Retention
from eyewall.pubsub.backends import sqlite_log
from eyewall.pubsub.backends.local import LocalBackplane
from eyewall.pubsub.backends.local_server import LocalBackplaneServer
from eyewall.pubsub.backends.nats import NatsBackplane, subject_of, topic_of
from eyewall.pubsub.backends.redis import RedisBackplane
from eyewall.testing.contracts.pubsub import (
    BackplaneContract,
    ConnectedBackplaneContract,
    SharedBackplaneContract,
    read_until,
)
from tests.contract.lines import Relay


class TestMemory(BackplaneContract):
    def hub(self, **options):
        return Hub("memory:", **options)


class TestLocal(ConnectedBackplaneContract):
    @pytest.fixture(autouse=True)
    def folder(self, tmp_path):
        self.path = str(tmp_path / "hub.sock")
        self.relay_path = str(tmp_path / "relay.sock")

    def run(self, main):
        async def served():
            server = LocalBackplaneServer(self.path)
            await server.start()
            self.relays = []
            try:
                await main()
            finally:
                for relay in self.relays:
                    await relay.close()
                await server.close()

        super().run(served)

    def hub(self, **options):
        return Hub(f"local:{self.path}", **options)

    async def line(self):
        relay = Relay(lambda: asyncio.open_unix_connection(self.path))
        relay.url = f"local:{self.relay_path}"
        self.relays.append(relay)
        return await relay.listen(self.relay_path)

    def test_a_hub_that_starts_anew_is_a_gap_and_then_goes_on(self):
        async def main():
            first = LocalBackplaneServer(self.relay_path)
            await first.start()
            async with Hub(f"local:{self.relay_path}") as hub:
                subscription = await hub.subscribe("a")
                await hub.publish("a", 1)
                await first.close()
                waiting = hub.publish("a", 2)
                second = LocalBackplaneServer(self.relay_path)
                await second.start()
                with pytest.raises(BackplaneError, match="before it confirmed"):
                    await waiting
                await hub.publish("a", 3)
                seen = await read_until(subscription, 3)
                assert seen == [1, "gap: epoch", 3]
                await second.close()

        self.run(main)

    def test_without_a_server_it_is_named(self):
        async def main():
            with pytest.raises(BackplaneError, match=r"relay\.sock"):
                await Hub(f"local:{self.relay_path}").start()

        self.run(main)

    def test_publications_fail_when_the_server_stays_away(self):
        async def main():
            server = LocalBackplaneServer(self.relay_path)
            await server.start()
            async with Hub(LocalBackplane(self.relay_path, patience_s=0)) as hub:
                await server.close()
                with pytest.raises(BackplaneError, match="lost"):
                    await hub.publish("a", 1)

        self.run(main)

    @pytest.mark.parametrize("noise", [b"\xff\xff\xff\xff", b"\0\0\0\3abc", b"\0\0\0\x02\x91\xa1"])
    def test_a_stranger_that_speaks_no_sense_is_disconnected(self, noise, caplog):
        async def main():
            reader, writer = await asyncio.open_unix_connection(self.path)
            writer.write(noise)
            try:
                assert await reader.read() == b""
            except ConnectionResetError:
                pass
            writer.close()
            async with self.hub() as hub, hub.subscribe("a") as subscription:
                _ = hub.publish("a", 1)
                assert (await anext(subscription)).data == 1

        self.run(main)
        assert "spoke no sense" in caplog.text


class TestSqlite(SharedBackplaneContract):
    @pytest.fixture(autouse=True)
    def file(self, tmp_path):
        self.path = tmp_path / "hub.db"

    def hub(self, **options):
        return Hub(f"sqlite:///{self.path}", **options)

    def test_a_restart_loses_nothing(self):
        async def main():
            async with self.hub() as hub:
                start = await hub.publish("a", 1)
                await hub.publish("a", 2)
            async with self.hub() as hub:
                assert hub.position == start._replace(seq=2)
                async with hub.subscribe("a", since=start) as subscription:
                    _ = hub.publish("a", 3)
                    assert await read_until(subscription, 3) == [2, 3]

        self.run(main)

    def test_old_messages_are_removed_and_their_absence_is_known(self, monkeypatch):
        monkeypatch.setattr(sqlite_log, "_WINDOW", 10)
        monkeypatch.setattr(sqlite_log, "_CLEAN_EVERY", 1)

        async def main():
            async with self.hub(history=Retention(5, 0)) as hub:
                start = await hub.publish("a", 1)
                await asyncio.gather(*(hub.publish("b", n) for n in range(40)))
                await hub.publish("b", 40)
                async with hub.subscribe("b", since=start) as subscription:
                    assert (await anext(subscription)).reason == "history"
                async with hub.subscribe("a", since=start) as subscription:
                    _ = hub.publish("a", 2)
                    assert await read_until(subscription, 2) == [2]
            with sqlite3.connect(self.path) as db:
                assert db.execute("SELECT count(*) FROM message").fetchone()[0] <= 11
            db.close()

        self.run(main)

    def test_a_file_that_is_no_database_is_named(self):
        self.path.write_bytes(b"no database " * 100)

        async def main():
            hub = self.hub()
            with pytest.raises(BackplaneError, match=r"hub\.db"):
                await hub.start()
            await hub.close()

        self.run(main)


class Connected(ConnectedBackplaneContract):
    """Hubs go to a server, or through a relay."""

    def run(self, main):
        async def served():
            self.relays = []
            try:
                await main()
            finally:
                for relay in self.relays:
                    await relay.close()

        super().run(served)

    def hub(self, **options):
        return Hub(self.backplane(self.url), **options)

    async def line(self):
        relay = await Relay(self.open).listen()
        self.relays.append(relay)
        return relay

    def hub_over(self, line, **options):
        return Hub(self.backplane(f"{self.scheme}://127.0.0.1:{line.port}"), **options)


class TestRedis(Connected):
    scheme = "redis"

    @pytest.fixture(autouse=True)
    def server(self, redis_path):
        self.url = f"unix://{redis_path}"
        self.open = lambda: asyncio.open_unix_connection(redis_path)
        self.prefix = f"{{{secrets.token_hex(4)}}}:"

    def backplane(self, url):
        return RedisBackplane(url, prefix=self.prefix)

    def test_data_that_redis_lost_are_a_gap_and_then_it_goes_on(self):
        from redis import asyncio as redis

        async def main():
            async with self.hub() as hub:
                subscription = await hub.subscribe("a")
                for n in range(3):
                    await hub.publish("a", n)
                assert await read_until(subscription, 2) == [0, 1, 2]
                client = redis.from_url(self.url)
                await client.flushall()
                await client.aclose()
                await hub.publish("a", 3)
                seen = [await anext(subscription), await anext(subscription)]
                assert isinstance(seen[0], Gap)
                assert seen[1].data == 3

        self.run(main)


class TestNats(Connected):
    scheme = "nats"

    @pytest.fixture(autouse=True)
    def server(self, nats_port):
        self.url = f"nats://127.0.0.1:{nats_port}"
        self.open = lambda: asyncio.open_connection("127.0.0.1", nats_port)
        self.stream = f"test-{secrets.token_hex(4)}"

    def backplane(self, url):
        # A small stream, so that a test can fill it.
        return NatsBackplane(url, stream=self.stream, most_messages=5000)

    def seen_of_a_quiet_topic(self):
        return ["gap: history", "two"]

    @given(
        st.text(
            st.characters(exclude_characters="/*", exclude_categories=["Cs"]),
            min_size=1,
            max_size=20,
        )
    )
    def test_every_topic_has_a_subject_of_its_own(self, name):
        assert topic_of(subject_of(f"{name}/{name}")) == f"{name}/{name}"
        assert re.fullmatch(r"[\w=-]+", subject_of(name), re.ASCII)
