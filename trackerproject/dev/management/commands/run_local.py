"""`make run`: web server, one cluster per queue, gateway and a live simulated fleet on local servers, until Ctrl-C."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _

from tasks_app.ingest.trackers.registry import PROTOCOLS
from tasks_app.management.base import ShellCommand
from trackerproject.dev.collected_static import is_collected, mark_collected
from trackerproject.dev.embedded import LocalServersError, embedded_servers, end_with_make, smtp_sink
from trackerproject.dev.local_servers.children import start_child, stop_children
from trackerproject.dev.local_servers.gateway_ports import local_ports, port_variables
from trackerproject.dev.local_servers.places import Places
from trackerproject.dev.shell_environment import shell_environment

HOST = "127.0.0.1"
WEB_START_SECONDS = 60.0
POLL_SECONDS = 0.3


class Program:
    """One running part, with its own log."""

    def __init__(self, name: str, command: list[str], environment: dict[str, str], logs: Path) -> None:
        self.name = name
        self.log = logs / f"{name}.log"
        with self.log.open("wb") as output:
            self.process = start_child(command, env=environment, output=output)

    def log_end(self, lines: int = 10) -> str:
        return "\n".join(f"    {line}" for line in self.log.read_text(errors="replace").splitlines()[-lines:])


class Command(ShellCommand):
    help = "Run everything on this machine with local servers, until Ctrl-C (development only)."
    requires_system_checks: list[str] = []  # the servers start below

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", default=os.environ.get("PORT") or "8000", help="web port on 127.0.0.1 (PORT)")
        parser.add_argument("--no-fleet", action="store_true", help="without the simulated fleet")
        is_wanted = os.environ.get("DEMO", "") not in ("", "0")
        parser.add_argument(
            "--demo", action="store_true", default=is_wanted, help="begin with a fleet's past month (DEMO=1)"
        )

    def handle(self, *args: Any, port: str, no_fleet: bool, demo: bool, **options: Any) -> None:
        end_with_make()
        require_free_port(port)
        places = Places.of(settings.BASE_DIR, "run")
        url = f"http://{HOST}:{port}"
        ports = local_ports({name: protocol.port for name, protocol in PROTOCOLS.items()}, HOST)
        self.stdout.write(_("Starting PostgreSQL, Redis, mail server ..."))
        try:
            with embedded_servers("run", settings.BASE_DIR) as servers, smtp_sink(places.mail) as mail:
                environment = {**os.environ, **servers.environment(), **mail.environment()}
                environment |= {"DEBUG": "1", "SITE_URL": url, "PYTHONUNBUFFERED": "1"}
                environment |= {"HASHED_STATIC": "1", "STATIC_ROOT": str(places.home / "static")}
                environment |= {"GATEWAY_HOST": HOST, **port_variables(ports)}
                # Events of the month's last days still notify people, so that there is something to read.
                environment |= {"ALERT_MAX_AGE_MINUTES": str(3 * 24 * 60)} if demo else {}
                with shell_environment(places.home / "env", environment):
                    self._run_until_interrupted(environment, places, url, with_fleet=not no_fleet, with_month=demo)
        except LocalServersError as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            pass
        self.stdout.write(_("Everything is stopped."))

    def _run_until_interrupted(
        self, environment: dict[str, str], places: Places, url: str, *, with_fleet: bool, with_month: bool
    ) -> None:
        password = admin_password(places.home / "admin-password")
        run_to_end("migrate", manage("migrate", "--verbosity", "0"), environment, places)
        collect_static(environment, places)
        secret = {**environment, "LOCAL_ADMIN_PASSWORD": password}
        run_to_end("local_admin", manage("local_admin"), secret, places)
        with self._stopping_in_order() as programs:
            for queue in settings.QUEUES:
                command = manage("qcluster", "--name", queue)
                programs.append(Program(f"cluster-{queue}", command, environment, places.logs))
            programs.append(Program("gateway", manage("gateway"), environment, places.logs))
            programs.append(Program("web", web_command(url), environment, places.logs))
            wait_for_web(programs[-1], url)
            self._introduce(url, password, places, environment)
            if with_month:
                self._send_month(environment, places, url)
            if with_fleet:
                programs.append(Program("fleet", manage("simulate_fleet", "--url", url), environment, places.logs))
                programs.append(Program("trackers", manage("simulate_trackers"), environment, places.logs))
            watch(programs)

    def _send_month(self, environment: dict[str, str], places: Places, url: str) -> None:
        """Send the days of the past month that are not there yet, which takes minutes, with what it prints."""
        self.stdout.write(_("Sending the fleet's past month, about five minutes the first time ..."))
        child = start_child(manage("demo_month", "--url", url, "--folder", str(places.home)), env=environment)
        try:
            code = child.wait()
        finally:
            stop_children([child])
        if code:
            raise CommandError(_("The past month could not be sent. The logs are in %(logs)s.") % {"logs": places.logs})

    @contextmanager
    def _stopping_in_order(self) -> Iterator[list[Program]]:
        """Stop the fleet, then the web server and the gateway, then the clusters, which finish the jobs that were accepted."""
        programs: list[Program] = []
        try:
            yield programs
        finally:
            self.stdout.write(_("Stopping ..."))
            clusters = [program.process for program in programs if program.name.startswith("cluster-")]
            for program in reversed(programs):
                if program.process not in clusters:
                    stop_children([program.process], grace_seconds=10)
            stop_children(clusters, grace_seconds=settings.TASK_ENGINE["GRACE_SECONDS"] + 5)

    def _introduce(self, url: str, password: str, places: Places, environment: dict[str, str]) -> None:
        ports = [(name, environment[f"GATEWAY_{name.upper()}_PORT"]) for name in PROTOCOLS]
        rows = [
            (_("Fleet"), f"{url}/"),
            (_("Admin"), f"{url}/admin/"),
            (_("User"), "admin"),
            (_("Password"), password),
            (_("API"), f"{url}/api/docs/"),
            (_("Health"), f"{url}/health"),
            (_("Trackers"), f"{HOST} " + ", ".join(f"{name} {port}" for name, port in ports)),
            (_("Logs"), str(places.logs)),
            (_("E-mails"), str(places.mail)),
        ]
        for label, value in rows:
            self.stdout.write(f"  {label:10s} {value}")
        where = os.path.relpath(places.home / "env", settings.BASE_DIR)
        self.stdout.write(_("Commands of another shell find these servers so:"))
        self.stdout.write(f"  . {where} && .venv/bin/python manage.py qinfo")
        self.stdout.write(_("Ctrl-C stops everything."))


def collect_static(environment: dict[str, str], places: Places) -> None:
    """Hash and compress the static files, unless that was done for the same ones."""
    folder = Path(environment["STATIC_ROOT"])
    if not is_collected(folder):
        run_to_end("collectstatic", manage("collectstatic", "--noinput", "--clear"), environment, places)
        mark_collected(folder)


def manage(*arguments: str) -> list[str]:
    return [sys.executable, str(Path(settings.BASE_DIR) / "manage.py"), *arguments]


def web_command(url: str) -> list[str]:
    host, port = url.removeprefix("http://").split(":")
    where = ["--host", host, "--port", port, "--app-dir", str(settings.BASE_DIR)]
    # WebSocket clients have little to say: a large message is refused before it fills memory.
    options = ["--no-access-log", "--ws", "websockets-sansio", "--ws-max-size", "65536"]
    return [sys.executable, "-m", "uvicorn", "trackerproject.asgi:application", *where, *options]


def require_free_port(port: str) -> None:
    """Raise CommandError if `port` is not a valid, free port."""
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise CommandError(_("%(port)s is not a port: a number from 1 to 65535 is needed.") % {"port": port})
    with socket.socket() as attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            attempt.bind((HOST, int(port)))
        except OSError as error:
            reason = _("Port %(port)s of %(host)s cannot be used (%(why)s). Choose another: make run PORT=8001")
            raise CommandError(reason % {"port": port, "host": HOST, "why": error.strerror}) from error


def admin_password(path: Path) -> str:
    """Return the password stored in `path`, which is created on the first run, readable for its owner only."""
    if not path.exists():
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(fd, "w") as file:
            file.write(secrets.token_urlsafe(12))
    return path.read_text().strip()


def run_to_end(name: str, command: list[str], environment: dict[str, str], places: Places) -> None:
    """Run one preparing command. Raises CommandError with the end of its output if it fails."""
    program = Program(name, command, environment, places.logs)
    try:
        code = program.process.wait()
    finally:
        stop_children([program.process])
    if code != 0:
        raise CommandError(f"{name}:\n{program.log_end()}")


def wait_for_web(web: Program, url: str) -> None:
    """Wait until the web server accepts connections. Raises CommandError if it ends before, or takes too long."""
    host, port = url.removeprefix("http://").split(":")
    deadline = time.monotonic() + WEB_START_SECONDS
    while time.monotonic() < deadline:
        if web.process.poll() is not None:
            break
        with socket.socket() as attempt:
            if attempt.connect_ex((host, int(port))) == 0:
                return
        time.sleep(0.1)
    raise CommandError(_("The web server did not start:\n%(log)s") % {"log": web.log_end()})


def watch(programs: list[Program]) -> None:
    """Wait until one of them ends; raise CommandError with its name and the end of its log."""
    while True:
        for program in programs:
            try:
                code = program.process.wait(timeout=POLL_SECONDS / len(programs))
            except subprocess.TimeoutExpired:
                continue
            text = _("%(name)s ended with %(code)d; stopping the others. Its last lines:\n%(log)s")
            raise CommandError(text % {"name": program.name, "code": code, "log": program.log_end()})
