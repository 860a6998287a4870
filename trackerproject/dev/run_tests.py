"""`make test`: the whole suite against real servers of its own. ARGS in the environment are pytest's arguments.

The whole suite runs in several processes, each with servers of its own (`test_servers`); much of it waits for clusters that
were killed, so there are more processes than cores. A selection (any ARGS) runs in this one process.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from types import FrameType

import psutil
import psycopg2
import pytest

from trackerproject.dev.embedded import LocalServersError, embedded_servers, end_with_make, smtp_sink
from trackerproject.dev.local_servers.children import CODE_DIR, start_child, stop_children
from trackerproject.dev.local_servers.processes import adopt_orphans
from trackerproject.dev.test_databases import copy_template, make_template, template_name

PROCESSES = 4
# File by file, in the order of `test_servers.mixed`.
IN_PARALLEL = [
    *("-p", "trackerproject.dev.test_servers"),
    *("-n", str(PROCESSES), "--dist", "loadfile", "--no-loadscope-reorder"),
]

# By Debian package: names of its program, and the tests that need one of them.
PROGRAMS = {
    "chromium": (("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"), "browser tests"),
    "pgbouncer": (("pgbouncer",), "tests of PgBouncer"),
}


def main() -> int:
    os.chdir(CODE_DIR)
    end_with_make()
    # pytest unwinds its fixtures on KeyboardInterrupt; SystemExit inside a test would be one failed test.
    # SIGINT too: a shell's background job ignores it, and so would every process of the tests.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    adopt_orphans()
    install_programs()
    keep_compiled_files()
    arguments = shlex.split(os.environ.get("ARGS", ""))
    os.environ["TEST_DB_TEMPLATE"] = template_name()
    try:
        with ExitStack() as running:
            if arguments:
                os.environ |= start_servers(running, "test")
            else:
                arguments = IN_PARALLEL
                os.environ["TEST_SERVERS"] = json.dumps(prepare_processes(running))
            before = {child.pid for child in psutil.Process().children(recursive=True)}
            try:
                return int(pytest.main(arguments))
            finally:
                end_leftovers(before)
    except LocalServersError as error:
        print(f"make test: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def prepare_processes(running: ExitStack) -> dict[str, dict[str, str]]:
    """Do once what each process would do at its beginning; return the environment of each, by its name.

    One collects the tests, which leaves every module compiled, while the migrations are applied for all.
    """
    collecting = start_child([sys.executable, "-m", "pytest", "--collect-only", "-qq"], output=subprocess.DEVNULL)
    try:
        processes = {name: start_servers(running, f"test-{name}") for name in map("gw{}".format, range(PROCESSES))}
        template, first, *others = os.environ["TEST_DB_TEMPLATE"], *(one["DATABASE_URL"] for one in processes.values())
        make_template(first, template)
        for other in others:
            copy_template(first, other, template)
        collecting.wait()
    finally:
        stop_children([collecting])
    return processes


def keep_compiled_files() -> None:
    """Let Python keep what it compiled, whatever the environment says: hundreds of processes load the same modules."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False


def start_servers(running: ExitStack, name: str) -> dict[str, str]:
    """Start PostgreSQL, Valkey and an SMTP server until `running` ends; return the environment of those who use them."""
    servers = running.enter_context(embedded_servers(name))
    write_without_waiting(servers.database_url)
    mail = running.enter_context(smtp_sink(servers.places.mail))
    return {**servers.environment(), **mail.environment(), "SMTP_SINK_DIRECTORY": str(mail.directory)}


def write_without_waiting(database_url: str) -> None:
    """Let no commit wait for the disk: tests kill processes, which lose nothing by that, and not the machine."""
    connection = psycopg2.connect(database_url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("ALTER SYSTEM SET fsync = off")
        cursor.execute("ALTER SYSTEM SET full_page_writes = off")
        cursor.execute("SELECT pg_reload_conf()")
    connection.close()


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def install_programs() -> None:
    """Install what some tests need beside our wheels, as root on Debian; otherwise print which tests will skip."""
    missing = {package: what for package, (names, what) in PROGRAMS.items() if not any(map(find_program, names))}
    if not missing:
        return
    lacking = f"Not on PATH: {', '.join(missing)}"
    if os.getuid() != 0 or not Path("/etc/debian_version").exists() or not shutil.which("apt-get"):
        print(f"{lacking}. The {' and the '.join(missing.values())} will be skipped.", flush=True)
        return
    print(f"{lacking}. Installing Debian's for the {' and the '.join(missing.values())} ...", flush=True)
    apt_get("update")
    for package, what in missing.items():
        if trouble := apt_get("install", "-y", "--no-install-recommends", package):
            print(f"{package} could not be installed ({trouble}): the {what} will be skipped.", flush=True)
        else:
            print(f"{package} is installed.", flush=True)


def find_program(name: str) -> str | None:
    """Return the path of a program, of one for administrators too."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin")


def apt_get(*arguments: str) -> str:
    """Run apt-get; return the last line of its error, empty when it succeeded."""
    done = subprocess.run(  # noqa: S603
        ["apt-get", "-qq", *arguments],  # noqa: S607
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return (done.stderr.strip().splitlines() or ["no message"])[-1] if done.returncode else ""


def end_leftovers(expected_pids: set[int]) -> None:
    """End processes that tests left behind, and name them: each is a bug of a test or of what it tests."""
    leftovers = [child for child in psutil.Process().children(recursive=True) if child.pid not in expected_pids]
    for child in leftovers:
        try:
            print(
                f"Left behind by the tests, ending it: {child.pid} {shlex.join(child.cmdline())[:200]}", file=sys.stderr
            )
            child.terminate()
        except psutil.NoSuchProcess:
            continue
    for child in psutil.wait_procs(leftovers, timeout=5)[1]:
        child.kill()


if __name__ == "__main__":
    sys.exit(main())
