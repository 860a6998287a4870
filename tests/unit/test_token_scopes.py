"""Which scope of a token each operation of the API asks for. An operation that is in no list changes something by `write`."""

from __future__ import annotations

import pytest
from rest_framework.exceptions import PermissionDenied

from tasks_app.api.scopes import check_scope, needed_scopes
from tasks_app.models import TokenDetails
from tests.support.route_cases import operations

JOB_VERBS = (
    "cancel",
    "retry",
    "run-now",
    "priority",
    "pause",
    "resume",
    "purge",
    "quiet",
    "wake",
    "stop",
    "grow",
    "shrink",
)
SWITCHES = ("enable", "disable")
# Ends the token itself.
BY_EVERY_TOKEN = {("POST", "/api/auth/logout")}
OPERATIONS = [(method, route, view) for method, route, view in operations()]


def expected(method: str, route: str) -> set[str]:
    if (method, route) in BY_EVERY_TOKEN:
        return set()
    if method == "GET":
        return {"read", "metrics"} if route == "/metrics" else {"read"}
    verb = route.rstrip("/").rsplit("/", 1)[-1]
    is_of_jobs = verb in JOB_VERBS or verb in SWITCHES or route.startswith("/api/tasks/cleanup/")
    is_of_commands = route.startswith("/api/commands") and not route.startswith("/api/commands/saved")
    return {"operate"} if is_of_jobs or is_of_commands else {"write"}


@pytest.mark.parametrize(("method", "route", "view"), OPERATIONS, ids=[f"{one[0]} {one[1]}" for one in OPERATIONS])
def test_every_operation_asks_for_its_scope(method, route, view):
    assert needed_scopes(view, method) == expected(method, route)


class Token:
    def __init__(self, *scopes: str) -> None:
        self.details = TokenDetails(scopes=list(scopes))


class TokenOfBefore:
    """A token that has no details."""


@pytest.mark.parametrize(
    ("token", "needed", "may"),
    [
        (Token("read"), {"read"}, True),
        (Token("read"), {"write"}, False),
        (Token("write"), {"read"}, False),
        (Token("operate"), {"write"}, False),
        (Token("metrics"), {"read"}, False),
        (Token("metrics"), {"read", "metrics"}, True),
        (Token(), set(), True),
        (Token(), {"read"}, False),
        (TokenOfBefore(), {"read"}, True),
        (TokenOfBefore(), {"write"}, True),
        (TokenOfBefore(), {"operate"}, True),
    ],
)
def test_a_token_may_what_one_of_its_scopes_allows(token, needed, may):
    if may:
        check_scope(token, frozenset(needed))
    else:
        with pytest.raises(PermissionDenied) as refused:
            check_scope(token, frozenset(needed))
        assert refused.value.detail.code == "insufficient_scope"
