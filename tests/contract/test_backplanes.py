"""The suite for backplanes, on each of them."""

import asyncio

import pytest

from eyewall.pubsub import BackplaneError, Hub
from eyewall.pubsub.backends.local import LocalBackplane
from eyewall.pubsub.backends.local_server import LocalBackplaneServer
from eyewall.testing.contracts.pubsub import (
    BackplaneContract,
    ConnectedBackplaneContract,
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
