"""`make demo`: a fleet's day, from HTTP to reports, on servers of its own; they are started and stopped here."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _

from tasks_app.ingest.simulation import DEFAULT_VEHICLES
from tasks_app.ingest.trackers.registry import PROTOCOLS
from tasks_app.management.arguments import whole_number
from tasks_app.management.base import ShellCommand
from trackerproject.dev.embedded import (
    EmbeddedServers,
    LocalServersError,
    SmtpSink,
    embedded_servers,
    end_with_make,
    smtp_sink,
    start_child,
    stop_children,
)
from trackerproject.dev.local_servers.gateway_ports import local_ports, port_variables
from trackerproject.dev.local_servers.locking import remove_data
from trackerproject.dev.local_servers.places import Places
from trackerproject.dev.management.commands.run_local import (
    HOST,
    Program,
    manage,
    run_to_end,
    wait_for_web,
    web_command,
)


class Command(ShellCommand):
    help = _("Runs a simulated fleet's day through the whole system, on local servers of its own.")
    requires_system_checks: list[str] = []  # the servers start below

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--vehicles", type=whole_number, default=DEFAULT_VEHICLES, help=_("How many, at most 200."))
        parser.add_argument("--name", default="demo", help=_("Its data lies in .local/<name>, made anew each time."))

    def handle(self, *args: Any, **options: Any) -> None:
        if not 1 <= options["vehicles"] <= 200:
            raise CommandError(_("--vehicles must be between 1 and 200."))
        if not re.fullmatch(r"demo(-[a-z0-9-]{1,20})?", options["name"]):
            raise CommandError(_("--name must be demo or begin with demo-."))
        end_with_make()
        try:
            self._run_with_servers(options["name"], options["vehicles"])
        except LocalServersError as error:
            raise CommandError(str(error)) from error

    def _run_with_servers(self, name: str, vehicles: int) -> None:
        """Start servers, web and cluster; the demo itself runs in a process whose settings point to them."""
        places = Places.of(settings.BASE_DIR, name)
        remove_data(places)
        url = f"http://127.0.0.1:{free_port()}"
        self.stdout.write(_("Starting PostgreSQL, Redis, mail server ..."))
        with embedded_servers(name, settings.BASE_DIR) as servers, smtp_sink(places.mail) as mail:
            environment = demo_environment(servers, mail, url)
            run_to_end("migrate", manage("migrate", "--verbosity", "0"), environment, places)
            self.stdout.write(_("Starting web server and clusters ..."))
            with running_programs(environment, places, url):
                arguments = ["--url", url, "--folder", str(places.home), "--vehicles", str(vehicles)]
                # In a process of its own, whose settings point to the servers that run now.
                day = start_child(manage("demo_day", *arguments), env=environment)
                try:
                    code = day.wait()
                finally:
                    stop_children([day])
        if code:
            raise CommandError(_("The demo failed. The logs are in %(folder)s.") % {"folder": places.logs})
        self.stdout.write(_("Everything is stopped."))


def demo_environment(servers: EmbeddedServers, mail: SmtpSink, url: str) -> dict[str, str]:
    """Return settings with which events of past days still cause alerts, as the day is replayed after its end."""
    own = {
        "DEBUG": "1",
        "SITE_URL": url,
        "ALERT_MAX_AGE_MINUTES": str(3 * 24 * 60),
        "ALERT_FLOOD_EVENTS": "100000",
        # Its webhook receiver is on this machine.
        "WEBHOOK_ALLOW_HTTP": "1",
        "OUTGOING_ALLOWED_NETWORKS": "127.0.0.0/8",
        "MEDIA_ROOT": str(servers.places.home / "media"),
        "PYTHONUNBUFFERED": "1",
        "LOG_LEVEL": "WARNING",
    }
    return {**os.environ, **servers.environment(), **mail.environment(), **own, **gateway_environment()}


def gateway_environment() -> dict[str, str]:
    """Return settings of a gateway on free ports of this machine."""
    ports = local_ports(dict.fromkeys(PROTOCOLS, 0), HOST)
    return {"GATEWAY_HOST": HOST, **port_variables(ports)}


@contextmanager
def running_programs(environment: dict[str, str], places: Places, url: str) -> Iterator[None]:
    """Web server, gateway and one cluster for all queues; stopped in this order."""
    web = Program("web", web_command(url), environment, places.logs)
    gateway = Program("gateway", manage("gateway"), environment, places.logs)
    cluster = Program("cluster", manage("qcluster"), environment, places.logs)
    try:
        wait_for_web(web, url)
        yield
    finally:
        stop_children([web.process, gateway.process], grace_seconds=10)
        stop_children([cluster.process], grace_seconds=settings.TASK_ENGINE["GRACE_SECONDS"] + 10)


def free_port() -> int:
    """Return a free port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
