"""`eyewall publish` and `eyewall tail`: a hub from the command line."""

import asyncio
import os
import signal
import sys
from typing import TYPE_CHECKING, Any, Final

from eyewall.base.errors import ConfigurationError
from eyewall.cli.control import only_server
from eyewall.ops.control import ask
from eyewall.ops.messages import PeerError
from eyewall.pubsub import BackplaneError, Gap, Hub, HubError
from eyewall.pubsub.backends.choose import HUB_VARIABLE

if TYPE_CHECKING:
    import argparse

_FAILED: Final = 1
_NO_HUB: Final = (
    "this server keeps its messages in its own memory; run it with --workers, "
    f"or name a backplane with --hub or {HUB_VARIABLE}"
)


def add_topics_parsers(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `publish` and `tail`."""
    text = "publish a message to a topic of a hub"
    publishing = verbs.add_parser("publish", help=text, description=f"{text.capitalize()}.")
    publishing.add_argument("topic")
    publishing.add_argument("data", metavar="JSON", help="the message; - reads it")
    publishing.add_argument("--key", help="what it is about")
    text = "print the messages of topics of a hub, a JSON object a line"
    tailing = verbs.add_parser("tail", help=text, description=f"{text.capitalize()}.")
    tailing.add_argument("topics", nargs="+", metavar="TOPIC", help="a topic, or a pattern of them")
    tailing.add_argument("--since", metavar="ID", help="begin after this message")
    tailing.add_argument("--count", type=int, metavar="N", help="end after so many messages")
    for parser in (publishing, tailing):
        parser.add_argument(
            "--hub", metavar="URL", help="its backplane; by default that of the running server"
        )
        parser.add_argument("--control", metavar="PATH", help="the server's control socket")


def _url(given: dict[str, Any]) -> str:
    """Where the hub is.

    Raises:
        ConfigurationError: No server, or several, could be meant, or it has no hub for others.
    """
    url = given["hub"] or os.environ.get(HUB_VARIABLE)
    if url:
        return str(url)
    try:
        socket = ask(given["control"] or only_server(), "hub", {}).get("socket")
    except PeerError as exc:
        raise ConfigurationError(_NO_HUB) from exc
    if not socket:
        raise ConfigurationError(_NO_HUB)
    return f"local:{socket}"


def publish(given: dict[str, Any]) -> int:
    """Publish, and print the message's id; returns the exit code."""
    data = sys.stdin.read() if given["data"] == "-" else given["data"]
    return _run(_publish(_url(given), given["topic"], data, given["key"]))


async def _publish(url: str, topic: str, data: str, key: str | None) -> None:
    async with Hub(url) as hub:
        print(await hub.publish_json(topic, data, key=key))  # noqa: T201 - what was asked for


def tail(given: dict[str, Any]) -> int:
    """Print messages until Ctrl-C; returns the exit code."""
    return _run(_tail(_url(given), given["topics"], given["since"], given["count"]))


async def _tail(url: str, topics: list[str], since: str | None, count: int | None) -> None:
    if count is not None and count < 1:
        return
    left = count
    async with Hub(url) as hub, hub.subscribe(*topics, since=since) as subscription:
        async for item in subscription:
            if isinstance(item, Gap):
                print(f"eyewall: messages are missing: {item.reason}", file=sys.stderr)  # noqa: T201 - the command's own line
                continue
            sys.stdout.buffer.write(item.envelope + b"\n")
            sys.stdout.flush()
            if left is not None:
                left -= 1
                if left == 0:
                    return


def _run(work: Any) -> int:
    try:
        asyncio.run(work)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BrokenPipeError:
        # Whoever read has enough; Python must not complain of it at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except ConfigurationError:
        raise
    except (BackplaneError, HubError, ValueError) as exc:
        print(f"eyewall: {exc}", file=sys.stderr)  # noqa: T201 - the command's own line
        return _FAILED
    return 0
