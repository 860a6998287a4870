"""Cursor pagination: `{"next": url or null, "results": [...]}`, each page one indexed look-up however deep it is."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec
from django.core.exceptions import ValidationError as InvalidValue
from django.db.models import DateTimeField, Model, Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.utils.urls import replace_query_param

from tasks_app.api.fields import StrictSerializer
from tasks_app.utils.iso_times import cursor_time

M = TypeVar("M", bound=Model)

DEFAULT_LIMIT, MAX_LIMIT = 50, 1000
MAX_CURSOR_LENGTH = 1000


class PageQuery(StrictSerializer):
    """Parameters of every list."""

    limit = serializers.IntegerField(
        min_value=1, max_value=MAX_LIMIT, default=DEFAULT_LIMIT, help_text=gettext_lazy("Results per page.")
    )
    cursor = serializers.CharField(
        max_length=MAX_CURSOR_LENGTH,
        required=False,
        help_text=gettext_lazy("Where the page starts; taken from `next`."),
    )


def page_body(request: Request, cursor: str | None, results: Any, **fixed: str) -> dict[str, Any]:
    """The answer of a list whose next page starts at `cursor`; `fixed` are parameters that it has whatever this one had."""
    if not cursor:
        return {"next": None, "results": results}
    url = request.build_absolute_uri()
    for name, value in {"cursor": cursor, **fixed}.items():
        url = replace_query_param(url, name, value)
    return {"next": url, "results": results}


def keyset_page(
    queryset: QuerySet[M], *, order: tuple[str, ...], limit: int, cursor: str | None, ordering: str = ""
) -> tuple[list[M], str | None]:
    """One page of `queryset` newest first, and the cursor of the next page.

    `order` names fields that together are unique; all sort descending, or ascending where `ordering`, the parameter, has no
    minus. It is "" for the list's own order; a cursor of another one is refused. Raises ValidationError for a bad cursor.
    """
    return merged_page([queryset], order=order, limit=limit, cursor=cursor, ordering=ordering)


def merged_page(
    querysets: Sequence[QuerySet[M]], *, order: tuple[str, ...], limit: int, cursor: str | None, ordering: str = ""
) -> tuple[list[M], str | None]:
    """One page of several querysets of one model as if they were one, each read along its own index.

    No row may be in two of them. One query, which reads at most `limit` + 1 rows of each. Otherwise as `keyset_page`.
    """
    if not querysets:
        return [], None
    is_ascending = bool(ordering) and not ordering.startswith("-")
    names = [name if is_ascending else f"-{name}" for name in order]
    if cursor:
        values = _read_cursor(querysets[0].model, order, cursor, ordering)
        behind = _behind(order, values, "gt" if is_ascending else "lt")
        querysets = [queryset.filter(behind) for queryset in querysets]
    first, *others = [queryset.order_by(*names)[: limit + 1] for queryset in querysets]
    merged = first.union(*others, all=True).order_by(*names)[: limit + 1] if others else first
    rows = list(merged)
    if len(rows) <= limit:
        return rows, None
    return rows[:limit], _write_cursor([getattr(rows[limit - 1], name) for name in order], ordering)


def _behind(order: tuple[str, ...], values: list[Any], than: str) -> Q:
    name, value = order[0], values[0]
    condition = Q(**{f"{name}__{than}": value})
    if len(order) > 1:
        # The first condition again as a range, so that PostgreSQL walks the index from there.
        condition = Q(**{f"{name}__{than}e": value}) & (condition | _behind(order[1:], values[1:], than))
    return condition


def _write_cursor(values: list[Any], ordering: str) -> str:
    marked = [ordering, *values] if ordering else values
    return base64.urlsafe_b64encode(msgspec.json.encode(marked)).decode().rstrip("=")


def _read_cursor(model: type[Model], order: tuple[str, ...], cursor: str, ordering: str) -> list[Any]:
    padded = cursor + "=" * (-len(cursor) % 4)
    try:
        texts = msgspec.json.decode(base64.b64decode(padded, altchars=b"-_", validate=True), type=list[str | int])
        if ordering and texts[:1] != [ordering]:
            raise InvalidValue("ordering")
        texts = texts[bool(ordering) :]
        if len(texts) != len(order):
            raise InvalidValue("length")
        return [_to_python(model, name, text) for name, text in zip(order, texts, strict=True)]
    except (InvalidValue, msgspec.MsgspecError, binascii.Error, ValueError, RecursionError) as error:
        raise serializers.ValidationError({"cursor": [_("This is not a cursor of this list.")]}) from error


def _to_python(model: type[Model], name: str, text: str | int) -> Any:
    """Return what the cursor says of a column, of the column's own kind. Raises InvalidValue, ValueError."""
    field: Any = model._meta.get_field(name)
    if isinstance(field, DateTimeField):
        return cursor_time(str(text))
    value = field.to_python(text)
    if value is None or (isinstance(value, int) and not 0 <= value < 2**63) or "\0" in str(value):
        raise InvalidValue("range")
    return value
