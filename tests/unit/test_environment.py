"""Variables of the environment that cannot be what they are meant to be."""

from __future__ import annotations

import os

import pytest
from django.core.exceptions import ImproperlyConfigured

from trackerproject.dev.soak.__main__ import main as soak
from trackerproject.environment import Environment
from trackerproject.retention import retention_days


class Given(Environment):
    def __init__(self, **variables: str) -> None:
        super().__init__()
        self.ENVIRON = variables


@pytest.mark.parametrize(
    ("read", "value", "sentence"),
    [
        ("int", "abc", "X must be a whole number, not 'abc'."),
        ("int", "", "X must be a whole number, not ''."),
        ("int", "1.5", "X must be a whole number, not '1.5'."),
        ("int", "-1", "X must not be below 0."),
        ("int", "9" * 30, "X must not be above 1000000000000000."),
        ("count", "0", "X must be at least 1."),
        ("float", "soon", "X must be a number, not 'soon'."),
        ("float", "5m", "X must be a number, not '5m'."),
        ("float", "nan", "X must be a number, not 'nan'."),
        ("float", "1e999", "X must be a number, not '1e999'."),
        ("float", "-0.5", "X must not be below 0."),
        # These were taken for 0.
        ("bool", "enabled", "X must be 1 or 0, not 'enabled'."),
        ("bool", "2", "X must be 1 or 0, not '2'."),
        ("json", "{'key': 'secret'}", "X cannot be read: Expecting property name enclosed in double quotes"),
        ("dict", "reports", "X cannot be read: "),
    ],
)
def test_a_value_of_another_kind_is_refused_with_its_name(read, value, sentence):
    with pytest.raises(ImproperlyConfigured) as caught:
        getattr(Given(X=value), read)("X", default=1) if read == "count" else getattr(Given(X=value), read)("X")
    assert str(caught.value).startswith(sentence)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("read", "value", "expected"),
    [
        ("int", " 7 ", 7),
        ("float", "1.5", 1.5),
        ("float", "1,5", 1.5),
        ("float", "1e3", 1000.0),
        ("bool", "True", True),
        ("bool", "yes", True),
        ("bool", "off", False),
        ("bool", "", False),
        ("list", "a,b", ["a", "b"]),
        ("list", " a, b ,", ["a", "b"]),
        ("dict", "a=b, c=d=e", {"a": "b", "c": "d=e"}),
        # To environ it was another variable; a password that begins so was none, or ended the start in a recursion.
        ("str", "$ecret", "$ecret"),
        ("str", "$X", "$X"),
        ("json", '{"a": "b"}', {"a": "b"}),
        ("dict", "a=b", {"a": "b"}),
    ],
)
def test_what_is_meant_is_read(read, value, expected):
    assert getattr(Given(X=value), read)("X") == expected


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("REPORTS_WORKERS", 256),
        ("WORKERS", 256),
        ("REPORT_KEEP_DAYS", 36_500),
        ("EMAIL_PORT", 65_535),
        ("ALERT_PERCENT", 100),
    ],
)
def test_no_number_is_beyond_all_use(name, most):
    """The start says so, and not a date that overflows when the first report is ready."""
    assert Given(**{name: str(most)}).int(name) == most
    with pytest.raises(ImproperlyConfigured, match=f"{name} must not be above {most}"):
        Given(**{name: str(most + 1)}).int(name)


def test_a_variable_that_is_not_set_has_its_default():
    assert (Given().int("X", default=-1), Given().bool("X", default=True), Given().list("X", default=[])) == (
        -1,
        True,
        [],
    )


def test_an_empty_variable_has_its_default():
    empty = Given(X="", BUSINESS_HOURS="")
    assert empty.str("X", default="localhost") == "localhost"
    assert (empty.int("X", default=25), empty.float("X", default=1.5), empty.bool("X", default=True)) == (25, 1.5, True)
    assert Given(X="  ").str("X", default="localhost") == "localhost"
    assert (empty.str("X", default=""), empty.list("X", default=[])) == ("", [])
    # "" means that there are none.
    assert empty.str("BUSINESS_HOURS", default="07:00-19:00") == ""


def test_retention_of_no_day_is_refused():
    assert retention_days(Given(RETENTION_EVENTS_DAYS="1"))["events"] == 1
    for name in ("RETENTION_POSITIONS_DAYS", "REPORT_KEEP_DAYS"):
        with pytest.raises(ImproperlyConfigured, match=f"{name} must be at least 1"):
            retention_days(Given(**{name: "0"}))


@pytest.mark.parametrize(
    "value", ["tracker.example.org", "ftp://one", "https://", "https://one:port", "https://one two"]
)
def test_what_is_no_address_of_the_web_is_refused(value):
    """Every link in an e-mail began with it."""
    with pytest.raises(ImproperlyConfigured, match="SITE_URL must be an address such as https://"):
        Given(SITE_URL=value).web_address("SITE_URL", default="")


def test_an_address_of_the_web_has_no_slash_at_its_end():
    given = Given(SITE_URL="https://one.example:8443/fleet/")
    assert given.web_address("SITE_URL", default="") == "https://one.example:8443/fleet"
    assert Given().web_address("SITE_URL", default="") == ""


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("TIME_ZONE", "Mars", "TIME_ZONE must be a time zone such as America/Sao_Paulo, not 'Mars'."),
        ("TIME_ZONE", "../etc/passwd", "TIME_ZONE must be a time zone such as America/Sao_Paulo, not '../etc/passwd'."),
        ("TIME_ZONE", "America", "TIME_ZONE must be a time zone such as America/Sao_Paulo, not 'America'."),
        ("LANGUAGE_CODE", "fr", "LANGUAGE_CODE must be one of en, pt-br, not 'fr'."),
        (
            "EXTRA_APPS",
            "json,fleet_shop.apps.Shop",
            "EXTRA_APPS: there is no package fleet_shop.apps.Shop among those ",
        ),
        ("EXTRA_APPS", ".tasks", "EXTRA_APPS: there is no package .tasks among those of this Python."),
    ],
)
def test_a_name_of_nothing_ends_the_start_with_its_variable(variable, value, sentence):
    given = Given(**{variable: value})
    with pytest.raises(ImproperlyConfigured) as caught:
        {
            "TIME_ZONE": lambda: given.zone(variable, default="UTC"),
            "LANGUAGE_CODE": lambda: given.language(variable, [("en", "English"), ("pt-br", "")], default="en"),
            "EXTRA_APPS": lambda: given.apps(variable),
        }[variable]()
    assert str(caught.value).startswith(sentence)


def test_names_of_what_is_there_are_read():
    given = Given(TIME_ZONE=" America/Sao_Paulo", LANGUAGE_CODE="pt_BR", EXTRA_APPS="json, tests.support.probe")
    assert given.zone("TIME_ZONE", default="UTC") == "America/Sao_Paulo"
    assert given.language("LANGUAGE_CODE", [("en", ""), ("pt-br", "")], default="en") == "pt-br"
    assert given.apps("EXTRA_APPS") == ["json", "tests.support.probe"]
    assert (Given().zone("X", default="UTC"), Given().apps("X")) == ("UTC", [])


@pytest.mark.parametrize(("name", "value"), [("SOAK_SECONDS", "soon"), ("SOAK_STOPS", "1.5"), ("SOAK_SEED", "-1")])
def test_the_soak_names_the_variable_that_it_cannot_read(monkeypatch, capsys, name, value):
    monkeypatch.setattr(os, "environ", {**os.environ, name: value})
    monkeypatch.setattr(Environment, "ENVIRON", os.environ)
    assert soak() == 1
    assert capsys.readouterr().err.startswith(f"make soak: {name} must ")
