"""The databases of the settings, and places in PostgreSQL's log."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured

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
    "url",
    [
        "tracker",
        "localhost:5432/t",
        "mysql://u:secret@one/t",
        "postgres://u:secret@one",
        "postgres://u:secret@one:port/t",
        "postgres://u:sec?ret@one/t",
        "postgres://u:sec/ret@one/t",
    ],
)
@pytest.mark.parametrize("variable", ["DATABASE_URL", "DATABASE_REPLICA_URL"])
def test_what_is_no_address_of_a_postgresql_is_refused_at_the_start_without_the_password(variable, url):
    urls = (url,) if variable == "DATABASE_URL" else (PRIMARY, url)
    with pytest.raises(ImproperlyConfigured, match=f"^{variable} cannot be read: ") as refused:
        databases(*urls, max_age_seconds=60)
    assert "sec" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "host"),
    [("postgresql://u:p%23@one/t", "one"), ("postgres://u:p#[@one/t", "one"), ("postgres:///t", "")],
)
def test_addresses_of_postgresql_are_read(url, host):
    assert databases(url, max_age_seconds=60)["default"]["HOST"] == host


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
