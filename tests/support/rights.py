"""People with chosen permissions, their clients, and what the database holds before and after they tried something."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from django.apps import apps
from django.contrib.auth.models import Permission, User
from django.db import connection, transaction
from django.db.models import Q
from django.test import Client
from rest_framework.test import APIClient

# Rows that any request of a logged-in person may write, and what migrations fill once.
UNWATCHED = {
    "sessions.session",
    "tasks_app.loginsession",
    "contenttypes.contenttype",
    "auth.permission",
    "axes.accesslog",
}

_DIGEST = "(SELECT md5(string_agg(row, chr(10) ORDER BY row)) FROM (SELECT row_to_json(t)::text AS row FROM {} t) rows)"


def api_client_of(user: User) -> APIClient:
    """A client of the API in which this user is logged in."""
    client = APIClient()
    client.force_authenticate(user)
    return client


def api_client_with(make_user: Callable[..., User], *codenames: str) -> APIClient:
    """The client of a new member of staff who holds these permissions only."""
    user = make_user(is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return api_client_of(User.objects.get(pk=user.pk))


def permissions_named(names: Iterable[str]) -> list[Permission]:
    """The rows of permissions written as app_label.codename."""
    wanted = Q(pk__in=[])
    for name in names:
        label, codename = name.split(".")
        wanted |= Q(content_type__app_label=label, codename=codename)
    found = list(Permission.objects.filter(wanted))
    assert len(found) == len(set(names)), f"unknown permission among {sorted(names)}"
    return found


def give(user: User, *names: str) -> User:
    """The user with these permissions and no others of their own, read anew so that nothing is cached."""
    user.user_permissions.set(permissions_named(names))
    return User.objects.get(pk=user.pk)


def api_of(user: User) -> APIClient:
    client = APIClient()
    client.force_authenticate(user)
    return client


def pages_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def database_state(unwatched: Iterable[str] = UNWATCHED) -> dict[str, Any]:
    """A digest of every table's rows, by model: equal before and after a request that changed nothing."""
    models = [model._meta for model in apps.get_models(include_auto_created=True) if model._meta.managed]
    watched = [one for one in models if one.label_lower not in unwatched]
    tables = [connection.ops.quote_name(one.db_table) for one in watched]
    with connection.cursor() as cursor:
        # In one statement: there are eighty tables.
        cursor.execute("SELECT " + ", ".join(map(_DIGEST.format, tables)))
        return {one.label_lower: digest for one, digest in zip(watched, cursor.fetchone(), strict=True)}


def changed_tables(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    return sorted(label for label in before if before[label] != after[label])


@contextmanager
def undone() -> Iterator[None]:
    """Take back what is written meanwhile, so that many requests meet the same rows. What goes to Redis stays."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)
