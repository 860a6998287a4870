"""The databases of the settings, and places in PostgreSQL's log."""

from __future__ import annotations

import pytest

from tasks_app.queries.replica import end_of_record
from trackerproject.databases import databases

PRIMARY, REPLICA = "postgres://u:p@one/t", "postgres://u:p@two:5433/t?sslmode=require&connect_timeout=9"


def test_without_a_replica_there_is_one_database():
    found = databases(PRIMARY, max_age_seconds=60)
    assert list(found) == ["default"]
    assert found["default"]["DISABLE_SERVER_SIDE_CURSORS"] is True
    assert found["default"]["OPTIONS"]["connect_timeout"] == 3


def test_a_server_that_does_not_answer_is_given_up_soon_unless_its_url_says_otherwise():
    replica = databases(PRIMARY, REPLICA, max_age_seconds=60, test_suffix="x")["replica"]
    assert (replica["HOST"], replica["PORT"]) == ("two", 5433)
    assert replica["OPTIONS"]["connect_timeout"] == 9
    assert replica["OPTIONS"]["tcp_user_timeout"] == 10_000
    assert replica["TEST"] == {"MIRROR": "default"}


@pytest.mark.parametrize(
    ("written", "replayed"),
    [
        ("0/3000148", "0/3000148"),
        # The next record will stand behind the header of a page, of a file's first page; nothing more is to be replayed.
        ("0/3002018", "0/3002000"),
        ("16/B4000028", "16/B4000000"),
        ("1/00000000", "1/00000000"),
    ],
)
def test_a_replica_has_everything_when_it_reached_the_end_of_the_last_record(written, replayed):
    high, _, low = replayed.partition("/")
    assert end_of_record(written) == (int(high, 16) << 32) + int(low, 16)
