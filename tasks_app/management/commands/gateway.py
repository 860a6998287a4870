"""`manage.py gateway`: the process that trackers connect to."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import ssl
import sys
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _

from tasks_app.engine.consumers import HOST
from tasks_app.engine.metrics import send_last_counts
from tasks_app.gateway.config import GatewayConfig, gateway_config, served_protocols
from tasks_app.gateway.server import Gateway
from tasks_app.management.arguments import short_text
from tasks_app.management.base import ShellCommand
from tasks_app.process_signals import outlive_user_signals, stop_signals
from tasks_app.queries.trackers import living_nodes

logger = logging.getLogger(__name__)

# File descriptors beside those of connections: servers, ports, files.
OTHER_FILES = 100
# Between the event loop, which may be busy decoding, and the thread that takes in, whose every step waits for it. Python's
# own 5 ms would add up to a tenth of a second for each acknowledgement.
SWITCH_SECONDS = 0.0005


class Command(ShellCommand):
    # The others load every page, which takes 30 MB.
    requires_system_checks = ["tasks"]
    help = _("Serves trackers that connect by TCP and UDP, until SIGTERM or Ctrl-C.")

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--protocols", type=short_text(200), help=_("Only these protocols, with commas between them.")
        )
        parser.add_argument(
            "--host", type=short_text(255), help=_("The address to listen on, instead of GATEWAY_HOST.")
        )
        parser.add_argument(
            "--health", action="store_true", help=_("Say whether a gateway of this host serves; exit code 1 if not.")
        )

    def handle(self, *args: Any, protocols: str | None, host: str | None, health: bool, **options: Any) -> None:
        if health:
            self._print_health()
            return
        names = None if protocols is None else [part.strip() for part in protocols.split(",")]
        config = gateway_config(**({"host": host} if host else {}))
        try:
            served = served_protocols(names)
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from error
        if not served:
            raise CommandError(_("Every protocol is switched off: there is nothing to serve."))
        _allow_files(config)
        sys.setswitchinterval(SWITCH_SECONDS)
        try:
            asyncio.run(self._serve(config, served))
        except (OSError, ssl.SSLError) as error:
            raise CommandError(_("The gateway cannot listen: %(error)s") % {"error": error}) from error
        _end()

    def _print_health(self) -> None:
        nodes = [node for node in living_nodes() if node.startswith(f"{HOST}:")]
        if not nodes:
            raise CommandError(_("%(host)s has no gateway that serves.") % {"host": HOST})
        self.stdout.write(_("The gateway of %(host)s serves.") % {"host": HOST})

    async def _serve(self, config: GatewayConfig, served: Any) -> None:
        gateway = Gateway(config, served)
        loop = asyncio.get_running_loop()
        for number in stop_signals():
            loop.add_signal_handler(number, gateway.stop)
        outlive_user_signals()
        await gateway.run(lambda: _introduce(config, served))


def _introduce(config: GatewayConfig, served: Any) -> None:
    """Say in the log where trackers may connect."""
    for name, (protocol, port) in served.items():
        transports = [word for word, has in (("TCP", protocol.has_tcp), ("UDP", protocol.has_udp)) if has]
        if config.tls_certificate:
            transports = ["TLS"] if protocol.has_tcp else []
        values = {"name": name, "host": config.host, "port": port, "transports": ", ".join(transports)}
        logger.info("%(name)s listens on %(host)s:%(port)d (%(transports)s)", values)


def _allow_files(config: GatewayConfig) -> None:
    """Let this process have a file descriptor for each connection, as far as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = config.max_connections + OTHER_FILES
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if allowed < wanted:
        most = allowed - OTHER_FILES
        logger.warning(
            "The limit of open files (%d) allows about %d connections, not %d.", hard, most, config.max_connections
        )


def _end() -> None:
    """End the process even if a thread still waits for a server that does not answer."""
    send_last_counts()
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
