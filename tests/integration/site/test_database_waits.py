"""A web process waits for PostgreSQL for so long and no longer."""

from __future__ import annotations

import io
import os
import signal

import pytest
from django.db import OperationalError, connection, connections

from tasks_app.models import Device
from tasks_app.utils.copying import copy
from trackerproject.database_waits import bound_waits

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def bounded():
    """Connections of this process wait a fifth of a second."""
    options = connection.settings_dict["OPTIONS"]
    before = dict(options)
    connections.close_all()
    bound_waits(0.2)
    yield
    connections.close_all()
    bound_waits(20.0)
    options.clear()
    options.update(before)


def execute(cursor):
    cursor.execute("SELECT pg_sleep(1.5)")


def copy_out(cursor):
    copy(cursor, "COPY (SELECT pg_sleep(1.5)) TO STDOUT", io.BytesIO())


@pytest.mark.parametrize("run", [execute, copy_out])
def test_a_statement_without_an_answer_is_given_up_and_the_next_one_has_a_new_connection(bounded, run):
    with connection.cursor() as cursor, pytest.raises(OperationalError):
        run(cursor)
    connections.close_all()
    assert Device.objects.count() == 0


def test_statements_that_are_answered_in_time_may_be_many(bounded):
    opened = connection.cursor().connection
    for _ in range(4):
        connection.cursor().execute("SELECT pg_sleep(0.1)")
    assert connection.cursor().connection is opened


def test_the_check_of_a_connection_and_the_statement_behind_it_do_not_wait_one_after_the_other(bounded, monkeypatch):
    with connection.cursor():
        pid = connection.connection.info.backend_pid
    monkeypatch.setattr(connection, "health_check_enabled", True)
    monkeypatch.setattr(connection, "health_check_done", False)
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(OperationalError, match="no answer to the check"):
            Device.objects.count()
    finally:
        os.kill(pid, signal.SIGCONT)
    assert Device.objects.count() == 0


def test_without_a_bound_the_driver_waits():
    options = dict(connection.settings_dict["OPTIONS"])
    bound_waits(0.0)
    assert connection.settings_dict["OPTIONS"] == options
