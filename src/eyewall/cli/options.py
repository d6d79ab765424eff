"""The command's options, as a table; from the command line, the environment, a file.

The command line wins over the environment, the environment over the file, the file over the
defaults.
"""

import argparse
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

from eyewall.base.errors import ConfigurationError
from eyewall.http.server.engine import DEFAULT_LIMITS

_TRUE: Final = frozenset({"1", "true", "yes", "on"})
_FALSE: Final = frozenset({"0", "false", "no", "off"})


@final
@dataclass(frozen=True, slots=True)
class Option:
    """One option.

    Attributes:
        name: Its name in the result, and, with dashes, on the command line.
        kind: str, int, float, bool, or list for one that may be repeated.
        default: What it is when nobody says.
        help: A clause for `--help`.
        aliases: Other spellings on the command line.
        env: Names in the environment, beside EYEWALL_<NAME>.
    """

    name: str
    kind: type
    default: Any
    help: str
    aliases: tuple[str, ...] = ()
    env: tuple[str, ...] = ()


OPTIONS: Final[tuple[Option, ...]] = (
    Option("host", str, "127.0.0.1", "address to listen on"),
    Option("port", int, 8888, "port to listen on; 0 lets the system choose", ("-p",), ("PORT",)),
    Option("bind", list, [], "host:port, unix:PATH or fd://N; may be repeated", ("-b",)),
    Option("unix", str, None, "path of a Unix socket to listen on", ("--uds",)),
    Option("fd", int, None, "descriptor of a listening socket to serve on"),
    Option("factory", bool, False, "the target is a function that makes the application"),
    Option("interface", str, "auto", "what the application is: auto, eyewall, wsgi or asgi"),
    Option("app_dir", str, ".", "folder to import the application from"),
    Option("certfile", list, [], "certificate chain in PEM; may be repeated, with a keyfile each"),
    Option("keyfile", list, [], "private key in PEM"),
    Option("ca_certs", str, None, "authorities that client certificates are checked against"),
    Option("http2", bool, True, "serve HTTP/2"),
    Option(
        "workers",
        str,
        None,
        "number of worker processes, or auto: one for each core",
        ("-w",),
        ("WEB_CONCURRENCY",),
    ),
    Option("worker_start_timeout", float, 60.0, "seconds that a worker may take to be ready"),
    Option(
        "worker_timeout",
        float,
        30.0,
        "seconds that a worker's loop may be stuck; 0: any time",
        ("--timeout",),
    ),
    Option(
        "max_requests",
        int,
        0,
        "requests after which a worker is replaced; 0: never",
        ("--limit-max-requests",),
    ),
    Option(
        "max_requests_jitter",
        int,
        0,
        "up to so many more, by chance",
        ("--limit-max-requests-jitter",),
    ),
    Option("max_memory", int, 0, "resident MiB above which a worker is replaced; 0: never"),
    Option("pid", str, None, "file to write the process id to"),
    Option(
        "control", str, None, 'path of the control socket; "off" for none', ("--control-socket",)
    ),
    Option("redis", str, None, "Redis that a front hands its requests to, as redis://localhost"),
    Option("from_redis", str, None, "Redis that requests are taken from, instead of listening"),
    Option("dispatch_name", str, "eyewall", "what fronts and workers of one program share there"),
    Option("dispatch_queue", int, 10_000, "requests that may wait there; more are answered 503"),
    Option("dispatch_wait", float, 60.0, "seconds until a worker must have taken a request"),
    Option("dispatch_concurrency", int, 1000, "requests that a worker takes at once"),
    Option("claim_after", float, 10.0, "seconds of silence after which a worker there is dead"),
    Option("loop", str, "asyncio", "event loop: asyncio or uvloop"),
    Option(
        "websocket_ping",
        float,
        20.0,
        "seconds between pings to WebSockets, where the program does not say; 0 sends none",
    ),
    Option("access_log", bool, True, "write a line for each request"),
    Option("log_level", str, "info", "least level that is logged"),
    Option("log_format", str, "text", "text or json"),
    Option("log_file", str, None, "file to log to; SIGUSR1 reopens it"),
    Option("request_ids", bool, False, "give each request an id, which its log lines show"),
    Option(
        "blocked_after",
        float,
        0.5,
        "seconds that one callback may block the loop before its stack is logged; 0: any time",
        ("--slow-callback",),
    ),
    Option("jobs", bool, True, "run the application's scheduled jobs"),
    Option("jobs_lock", str, None, "file by which the machine's processes agree who runs jobs"),
    Option("jobs_redis", str, None, "Redis by which machines agree who runs jobs"),
    Option("otel", bool, False, "make OpenTelemetry spans; the OTEL_ variables say where they go"),
    Option("metrics", bool, False, "count requests by route; --admin serves what is counted"),
    Option(
        "admin",
        str,
        None,
        "host:port or unix:PATH for health checks, metrics and the status page",
    ),
    Option(
        "admin_password", str, None, "password of the status page; required on other than loopback"
    ),
    Option("status", bool, False, "serve the status page on the address of --admin"),
    Option(
        "health", bool, False, "answer /_eyewall/health and /_eyewall/ready beside the application"
    ),
    Option(
        "drain_delay",
        float,
        0.0,
        "seconds between not being ready any more and not accepting any more, at a stop",
    ),
    Option(
        "forwarded_allow_ips",
        str,
        "127.0.0.1,::1,unix",
        'proxies whose forwarding headers are believed: addresses, networks, "unix" or "*"',
        ("--trusted",),
        ("FORWARDED_ALLOW_IPS",),
    ),
    Option("proxy_protocol", bool, False, "trusted peers begin with a PROXY protocol header"),
    Option("server_header", bool, True, "send a Server header"),
    Option(
        "timeout_graceful_shutdown",
        float,
        30.0,
        "seconds that running requests get to finish when the server stops",
        ("--graceful-timeout",),
    ),
    Option("reload", bool, None, "start anew when a file changes (on in eyewall dev)"),
    Option("reload_dir", list, [], "folder to watch for changes; by default --app-dir"),
    Option("reload_include", list, [], "pattern of files to watch beside sources, as '*.sql'"),
    Option("reload_exclude", list, [], "pattern of files that are not watched"),
    *(
        Option(f"limit_{name}", float, None, f"limit, by default {default:g}")
        for name, default in DEFAULT_LIMITS.items()
    ),
)


@final
@dataclass(frozen=True, slots=True)
class Settings:
    """Values of all options, and where each came from."""

    values: Mapping[str, Any]
    sources: Mapping[str, str]

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    @property
    def is_front(self) -> bool:
        """Whether this is `eyewall front`."""
        return bool(self.values.get("front"))

    def what(self, target: str | None) -> str | None:
        """What is served, for a person."""
        return "a front" if self.is_front else target

    def as_front(self) -> "Settings":
        """The same for `eyewall front`."""
        return Settings({**self.values, "front": True}, self.sources)

    def limits(self) -> dict[str, float]:
        """The limits that were set, by the engine's names."""
        return {
            name: self.values[f"limit_{name}"]
            for name in DEFAULT_LIMITS
            if self.values[f"limit_{name}"] is not None
        }


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add all options to a parser; what is not given stays out of the result."""
    for option in OPTIONS:
        flags = [f"--{option.name.replace('_', '-')}", *option.aliases]
        text = f"{option.help} (default: {option.default})" if option.default else option.help
        text = text.replace("%", "%%")
        common: dict[str, Any] = {
            "dest": option.name,
            "default": argparse.SUPPRESS,
            "help": text,
        }
        if option.kind is bool:
            parser.add_argument(*flags, action=argparse.BooleanOptionalAction, **common)
        elif option.kind is list:
            parser.add_argument(*flags, action="append", metavar="VALUE", **common)
        else:
            parser.add_argument(*flags, type=option.kind, metavar="VALUE", **common)


def gather(
    given: Mapping[str, Any], environ: Mapping[str, str], folder: Path
) -> tuple[Settings, str | None]:
    """The settings, and the target that the file names.

    Args:
        given: What the command line said.
        environ: The environment.
        folder: Where `eyewall.toml` or `pyproject.toml` is looked for.

    Raises:
        ConfigurationError: A value that cannot be used; the message says whose.
    """
    in_file, file, target = _read_file(folder)
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for option in OPTIONS:
        name = option.name
        values[name], sources[name] = option.default, "default"
        if name in in_file:
            values[name], sources[name] = _checked(option, in_file[name], file), file
        for variable in (*option.env, f"EYEWALL_{name.upper()}"):
            if environ.get(variable):
                values[name] = _parsed(option, environ[variable], variable)
                sources[name] = variable
        if name in given:
            values[name], sources[name] = given[name], "command line"
    return Settings(values, sources), target


def _read_file(folder: Path) -> tuple[dict[str, Any], str, str | None]:
    for name, table in (("eyewall.toml", None), ("pyproject.toml", "eyewall")):
        file = folder / name
        if not file.is_file():
            continue
        try:
            content: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
        except (OSError, tomllib.TOMLDecodeError) as exc:
            raise ConfigurationError(f"{file}: {exc}") from exc
        if table is not None:
            content = content.get("tool", {}).get(table, {})
        content = {key.replace("-", "_"): value for key, value in content.items()}
        target = content.pop("app", None)
        unknown = sorted(set(content) - {option.name for option in OPTIONS})
        if unknown:
            raise ConfigurationError(f"{file}: there is no option {unknown[0]!r}")
        if content or target:
            return content, str(file), target
    return {}, "", None


def _checked(option: Option, value: Any, source: str) -> Any:
    kinds = (int, float) if option.kind is float else (option.kind,)
    if not isinstance(value, kinds) or (isinstance(value, bool) and option.kind is not bool):
        raise ConfigurationError(
            f"{source}: {option.name} must be {option.kind.__name__}, not {value!r}"
        )
    return value


def _parsed(option: Option, text: str, source: str) -> Any:
    if option.kind is bool:
        if text.lower() in _TRUE:
            return True
        if text.lower() in _FALSE:
            return False
        raise ConfigurationError(f"{source} must be true or false, not {text!r}")
    if option.kind is list:
        return [part for part in text.split(",") if part]
    try:
        return option.kind(text)
    except ValueError:
        raise ConfigurationError(f"{source} must be {option.kind.__name__}, not {text!r}") from None
