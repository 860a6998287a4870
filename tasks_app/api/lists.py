"""Lists of rows: one rule for their filters, their order, their pages and the fields of their rows.

Filters are those of django-filter, whose values are read by the fields of the API. A parameter that a list does not know, one
that is given twice and a value that cannot be right are a 400 that names the parameter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from functools import cached_property
from typing import Any

import django_filters
from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from tasks_app.api.fields import MAX_ID, StrictSerializer, TimestampField
from tasks_app.api.pagination import PageQuery, keyset_page, page_body
from tasks_app.api.schema import page_of
from tasks_app.api.sparse import FieldsField, pruned

Orderings = Mapping[str, tuple[str, ...]]
BY_ID: Orderings = {"id": ("id",)}


class _ParameterField(forms.Field):
    """Reads a query parameter as a field of the API does."""

    def __init__(self, *, reads: serializers.Field[Any, Any, Any, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.reads = reads

    def clean(self, value: Any) -> Any:
        """Return the value, None for a parameter that was not sent. Raises forms.ValidationError."""
        if value is None:
            return None
        try:
            return self.reads.run_validation(value)
        except serializers.ValidationError as error:
            raise forms.ValidationError([str(text) for text in error.detail]) from error


class Parameter(django_filters.Filter):
    """A filter whose value is read by a field; `column` and `lookup` as in django-filter."""

    field_class = _ParameterField

    def __init__(
        self,
        reads: serializers.Field[Any, Any, Any, Any],
        column: str | None = None,
        lookup: str = "exact",
        *,
        method: str | None = None,
    ) -> None:
        super().__init__(field_name=column, lookup_expr=lookup, method=method, reads=reads)
        self.reads = reads


class Filters(django_filters.FilterSet):
    """Base of the filters of a list; itself none."""


def by_id(column: str | None = None, *, help_text: str = "") -> Parameter:
    """Return a filter by a row's number."""
    return Parameter(serializers.IntegerField(min_value=1, max_value=MAX_ID, help_text=help_text), column)


def by_choice(choices: Any, column: str | None = None, *, method: str | None = None) -> Parameter:
    """Return a filter by one of several values."""
    return Parameter(serializers.ChoiceField(choices=choices), column, method=method)


def by_text(
    column: str | None = None,
    *,
    max_length: int,
    lookup: str = "exact",
    help_text: str = "",
    method: str | None = None,
) -> Parameter:
    """Return a filter by a text, to the letter unless `lookup` says otherwise."""
    return Parameter(serializers.CharField(max_length=max_length, help_text=help_text), column, lookup, method=method)


def by_uuid(column: str | None = None, *, help_text: str = "") -> Parameter:
    """Return a filter by a UUID."""
    return Parameter(serializers.UUIDField(help_text=help_text), column)


def by_flag(column: str | None = None, lookup: str = "exact", *, method: str | None = None) -> Parameter:
    """Return a filter by true or false."""
    return Parameter(serializers.BooleanField(), column, lookup, method=method)


def between(column: str) -> dict[str, Parameter]:
    """Return the filters `from` and `to` of times in `[from, to)`. Their names are no attributes of a Python class."""
    return {"from": Parameter(TimestampField(), column, "gte"), "to": Parameter(TimestampField(), column, "lt")}


class RowList:
    """How the rows of a list are filtered, ordered and shown.

    `orderings` are the names that `ordering` may have, each with the columns that it sorts by, which together are unique and
    never null. The first one, descending, is the list's own order.
    """

    def __init__(
        self,
        shown: Callable[..., Any],
        *,
        filters: type[Filters] = Filters,
        orderings: Orderings = BY_ID,
    ) -> None:
        self.shown, self.filters, self.orderings = shown, filters, orderings
        self.own_order = f"-{next(iter(orderings))}"

    @cached_property
    def parameters(self) -> list[Any]:
        """The query parameters, for the schema."""
        return [list_query(self.shown, self.orderings, {name: one.reads for name, one in self._filters.items()})]

    def page_serializer(self, name: str) -> type[serializers.Serializer[Any]]:
        """The serializer of a page, for the schema."""
        return page_of(self.shown, name)  # type: ignore[arg-type]

    def answer(
        self, request: Request, rows: QuerySet[Any], *, prepare: Callable[[list[Any]], Any] | None = None
    ) -> Response:
        """Answer a page of those of the rows that the request asks for; `prepare` may change what is shown of them.

        Raises ValidationError with every parameter that is wrong.
        """
        query, filtered = self._read(request, rows)
        ordering = query.get("ordering", self.own_order)
        found, cursor = keyset_page(
            filtered,
            order=self.orderings[ordering.removeprefix("-")],
            limit=query["limit"],
            cursor=query.get("cursor"),
            ordering="" if ordering == self.own_order else ordering,
        )
        shown = prepare(found) if prepare else found
        serializer = pruned(self.shown(shown, many=True, context={"request": request}), query.get("fields"))
        return Response(page_body(request, cursor, serializer.data))

    @property
    def _filters(self) -> Mapping[str, Any]:
        return self.filters.base_filters

    @cached_property
    def _page_query(self) -> type[StrictSerializer]:
        return list_query(self.shown, self.orderings)

    @cached_property
    def _of_page(self) -> frozenset[str]:
        return frozenset(self._page_query().fields)

    def _read(self, request: Request, rows: QuerySet[Any]) -> tuple[dict[str, Any], QuerySet[Any]]:
        sent = request.query_params
        page = self._page_query(data={name: sent[name] for name in sent if name in self._of_page})
        filters = self.filters(data=sent, queryset=rows, request=request)
        problems = problems_of_names(sent, self._of_page | self._filters.keys())
        for one in (page, filters):
            if not one.is_valid():
                problems = {**one.errors, **problems}
        if problems:
            raise serializers.ValidationError(problems)
        return page.validated_data, filters.filter_queryset(rows)


def problems_of_names(sent: Any, known: frozenset[str]) -> dict[str, list[str]]:
    """Return what is wrong with the names of query parameters: none may be unknown, none given twice."""
    unknown = {name[:100]: [_("Unknown parameter.")] for name in sent if name not in known}
    twice = {name: [_("Give it once.")] for name, values in sent.lists() if name in known and len(values) > 1}
    return unknown | twice


def list_query(
    shown: Callable[..., Any], orderings: Sequence[str] | Orderings, filters: Mapping[str, Any] | None = None
) -> type[StrictSerializer]:
    """Return the query parameters of a list: its filters, and those of every list."""
    names = [sign + name for name in orderings for sign in ("-", "")]

    class ListQuery(PageQuery):
        """Filters, order and fields of a list."""

        def get_fields(self) -> dict[str, Any]:
            # `fields` and `from` cannot be attributes of a serializer.
            ordering = serializers.ChoiceField(
                choices=names, required=False, help_text=_("Order of the rows; a minus: the last ones first.")
            )
            own = {name: deepcopy(one) for name, one in (filters or {}).items()}
            for one in own.values():
                one.required = False
            return {**super().get_fields(), **own, "ordering": ordering, "fields": FieldsField(shown)}

    return ListQuery
