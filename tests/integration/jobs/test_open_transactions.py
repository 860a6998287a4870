"""A transaction that is open is seen, whenever and however its connection was opened."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from django.db import connection, connections, transaction

from tasks_app.engine.database import close_connections, is_transaction_open

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def fresh_thread():
    """Run a function in a thread that has used no connection yet, as a worker that was just forked."""

    def run(function):
        def and_close():
            try:
                return function()
            finally:
                close_connections()

        with ThreadPoolExecutor(1) as pool:
            return pool.submit(and_close).result()

    return run


def atomic():
    return transaction.atomic()


@contextmanager
def by_hand():
    transaction.set_autocommit(False)
    yield
    transaction.rollback()
    transaction.set_autocommit(True)


@pytest.mark.parametrize("begin", [atomic, by_hand])
def test_the_first_connection_of_a_thread(fresh_thread, begin):
    def seen():
        before = is_transaction_open()
        with begin():
            inside = is_transaction_open()
        return before, inside, is_transaction_open()

    assert fresh_thread(seen) == (False, True, False)


@pytest.mark.parametrize("begin", [atomic, by_hand])
def test_a_connection_that_was_known_before(fresh_thread, begin):
    def seen():
        connection.ensure_connection()
        found = [is_transaction_open()]
        for _ in range(2):
            with begin():
                found.append(is_transaction_open())
            found.append(is_transaction_open())
        return found

    assert fresh_thread(seen) == [False, True, False, True, False]


def test_a_connection_in_the_place_of_one_that_was_closed_in_its_block(fresh_thread):
    """The block that was left behind does not count for the new connection; a block of the new one does."""

    def seen():
        transaction.atomic().__enter__()
        found = [is_transaction_open()]
        close_connections()
        found.append(is_transaction_open())
        with transaction.atomic():
            found.append(is_transaction_open())
        return found

    assert fresh_thread(seen) == [True, False, True]


def test_a_connection_that_a_task_put_away(fresh_thread):
    def seen():
        transaction.atomic().__enter__()
        old = connections["default"]
        found = [is_transaction_open()]
        del connections["default"]
        found.append(is_transaction_open())
        with transaction.atomic():
            found.append(is_transaction_open())
        old.close()
        return found

    assert fresh_thread(seen) == [True, False, True]


def test_transactions_of_other_threads_are_their_own(fresh_thread):
    connection.ensure_connection()
    with transaction.atomic():
        assert fresh_thread(is_transaction_open) is False
