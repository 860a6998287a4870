"""A fault of a command of the shell is a sentence and an exit code, no traceback."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.management import CommandError, call_command
from django.db import ProgrammingError, connection, connections, transaction

from tasks_app.management.base import ShellCommand
from tasks_app.services.exclusive_locks import exclusive_lock
from tests.support.cluster import allowed, wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def database_down(monkeypatch):
    """New connections are sought where there is no PostgreSQL."""
    connection.close()
    with monkeypatch.context() as patched:
        patched.setitem(connection.settings_dict, "HOST", "/nonexistent")
        yield
        connection.close()


def test_a_second_migrate_waits_and_finds_it_done():
    """Both made the same tables, and one ended in the traceback of that."""
    out = io.StringIO()

    def migrate() -> None:
        call_command("migrate", "--plan", stdout=out)
        connections.close_all()

    with ThreadPoolExecutor() as pool:
        with exclusive_lock("migrate") as is_ours:
            assert is_ours
            second = pool.submit(migrate)
            wait_until(lambda: "Another migrate is running" in out.getvalue(), what="the second one to look")
            assert not second.done()
        second.result(allowed(20))
    assert "No planned migration operations" in out.getvalue()


@pytest.mark.parametrize(
    "arguments",
    [
        ["migrate"],
        ["restore_positions", "--list"],
        ["api_token", "ana"],
        ["device_key", "van-1"],
        ["remove_second_factor", "ana"],
        ["import_positions", "x.csv"],
        ["report", "summary"],
        ["rotate_secrets"],
        ["cleanup", "positions", "--dry-run"],
        ["commands", "list"],
    ],
)
def test_a_database_that_is_away_is_said_by_each_command(database_down, arguments):
    with pytest.raises(CommandError, match=r"PostgreSQL does not answer: .*\n(.*\n)*Looked for at .* \(DATABASE_URL\)"):
        call_command(*arguments)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        (
            "SELECT 1 FROM tasks_app_nothing",
            r'relation "tasks_app_nothing" does not exist\nRun manage.py migrate first\.',
        ),
        ("SET TRANSACTION READ ONLY; DELETE FROM tasks_app_device", "cannot execute DELETE in a read-only transaction"),
        ("SET LOCAL ROLE pg_monitor; DELETE FROM tasks_app_device", "permission denied for table tasks_app_device"),
        ("SET LOCAL statement_timeout = 1; SELECT pg_sleep(1)", "canceling statement due to statement timeout"),
    ],
)
def test_what_the_database_refuses_is_said(statement, words):
    class Command(ShellCommand):
        def handle(self, *args, **options):
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(statement)

    with pytest.raises(CommandError, match=f"PostgreSQL refuses this: {words}"):
        call_command(Command())


def test_a_server_that_turns_a_connection_down_is_not_said_to_be_silent(monkeypatch):
    connection.close()
    with monkeypatch.context() as patched:
        patched.setitem(connection.settings_dict, "NAME", "no_such_database")
        with pytest.raises(
            CommandError, match=r'PostgreSQL refuses the connection: .*"no_such_database" does not exist'
        ):
            call_command("report", "summary")
    connection.close()


def test_an_output_without_room_is_said():
    full = io.TextIOWrapper(io.FileIO("/dev/full", "w"), write_through=True)
    with pytest.raises(CommandError, match=r"no room for what is written: .*No space"):
        call_command("jobs", "list", "--json", stdout=full)
    full.detach().close()


def test_a_fault_of_ours_keeps_its_traceback():
    class Command(ShellCommand):
        def handle(self, *args, **options):
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SELEC")

    with pytest.raises(ProgrammingError):
        call_command(Command())


def test_ctrl_c_ends_a_command_as_shells_expect_it():
    class Command(ShellCommand):
        def handle(self, *args, **options):
            raise KeyboardInterrupt

    with pytest.raises(CommandError, match=r"Stopped\.") as stopped:
        call_command(Command())
    assert stopped.value.returncode == 130


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["restore_positions", "--day", "2026-13-01"], r'"2026-13-01" is no day; write it as 2026-01-31\.'),
        (["restore_positions", "one"], r'"one" is no whole number\.'),
        (["cleanup", "positions", "--max-seconds", "long"], r'"long" is no number\.'),
        (["cleanup", "positions", "--days", "0"], r"^--days: This must be at least 1\.$"),
        (["cleanup", "positions", "--max-seconds", "nan"], r"^--max-seconds: This must be more than 0\.0\.$"),
        (["cleanup", "optimize", "--device", "1", "--days", "2"], r"^This clean-up has no --days, --device\.$"),
        (["commands", "list", "--fleet", "99999999999999999999"], r"^There is no fleet 99999999999999999999\.$"),
        (
            ["report", "summary", "--device", "van-1", "--from", "9999-12-31"],
            r"^The year must lie between 1980 and 2200\.$",
        ),
        (["report", "summary", "--device", "van\udcff"], "no UTF-8"),
    ],
)
def test_options_that_cannot_be_right_are_refused_in_a_sentence(device, arguments, words):
    with pytest.raises(CommandError, match=words):
        call_command(*arguments)
