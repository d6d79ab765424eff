"""`manage.py runeyewall`."""

import os
import re
import sys
from typing import Any, Final

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

_TARGET: Final = "eyewall.hosting.django.site:make_app"
_ADDRESS: Final = re.compile(
    r"(?:(?P<host>[A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\]):)?(?P<port>[0-9]{1,5})"
)


class Command(BaseCommand):
    """Serves the site, with its WebSockets and live pages, by Eyewall."""

    help = "Serve the site by Eyewall: with reload while DEBUG is on, with workers otherwise."
    requires_system_checks = "__all__"

    def add_arguments(self, parser: CommandParser) -> None:
        """The arguments that Django's own server has, and those of `eyewall run`."""
        parser.add_argument("address", nargs="?", default="127.0.0.1:8000", help="[host:]port")
        parser.add_argument("--workers", help="worker processes, or auto: one for each core")
        parser.add_argument("--noreload", action="store_true", help="do not watch files")
        parser.add_argument(
            "more", nargs="*", metavar="-- OPTIONS", help="further options of eyewall run"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Become the server's process.

        Raises:
            CommandError: The address is none.
        """
        match = _ADDRESS.fullmatch(options["address"])
        if match is None:
            raise CommandError(f"{options['address']!r} is not [host:]port, as in 0.0.0.0:8000")
        self.check_migrations()
        workers = options["workers"]
        reload = settings.DEBUG and not options["noreload"] and not workers
        command = [sys.executable, "-m", "eyewall", "dev" if reload else "run", _TARGET]
        command += ["--host", (match["host"] or "127.0.0.1").strip("[]"), "--port", match["port"]]
        command += ["--app-dir", os.getcwd()]
        if workers:
            command += ["--workers", workers]
        self.stdout.flush()
        # The same process goes on: signals, terminals and supervisors keep their hold on it.
        os.execv(sys.executable, [*command, *options["more"]])  # noqa: S606 - no shell is wanted
