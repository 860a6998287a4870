"""Lists of the pages at /: filters in the address, pages by number or by the last row shown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from django import forms
from django.core.exceptions import ValidationError
from django.core.paginator import Page, Paginator
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from tasks_app.web.date_inputs import DateInput, DateTimeField

M = TypeVar("M", bound=Model)
ROWS_PER_PAGE = 50
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class FilterForm(forms.Form):
    """Filters of a list, sent by GET. Nothing that is wrong is ignored: such a list is empty and says why."""

    use_required_attribute = False

    def __init__(self, request: HttpRequest) -> None:
        super().__init__(request.GET, label_suffix="")
        self.user = request.user

    @property
    def is_used(self) -> bool:
        """Whether any filter has a value."""
        return any(self.data.get(name) for name in self.fields)


class DateField(forms.DateField):
    """A day, chosen with the browser's own picker."""

    widget = DateInput


class TimeRangeForm(FilterForm):
    """Filters with a range of time in the reader's zone."""

    start = DateTimeField(label=gettext_lazy("From"), required=False)
    end = DateTimeField(label=gettext_lazy("To"), required=False)

    def clean(self) -> dict[str, Any]:
        chosen = super().clean() or {}
        start, end = chosen.get("start"), chosen.get("end")
        if start and end and end <= start:
            self.add_error("end", _("The end must be after the beginning."))
        return chosen


class CursorField(forms.CharField):
    """The last row of the page before, as `cursor_of` writes it; cleaned to a filter of the rows behind it."""

    widget = forms.HiddenInput

    def __init__(self, time_field: str) -> None:
        super().__init__(required=False, max_length=40)
        self.time_field = time_field

    def clean(self, value: Any) -> Q:
        text = super().clean(value)
        if not text:
            return Q()
        microseconds, _dash, pk = text.partition("-")
        try:
            at = _EPOCH + int(microseconds) * _MICROSECOND
            number = int(pk)
        except (ValueError, OverflowError) as error:
            raise ValidationError(_("This page of the list does not exist.")) from error
        name = self.time_field
        return Q(**{f"{name}__lte": at}) & (
            Q(**{f"{name}__lt": at}) | Q(**{name: at, "pk__lt": min(number, 2**63 - 1)})
        )


def cursor_of(at: datetime, pk: int) -> str:
    """Return the text from which the next page of a list, newest first, begins."""
    return f"{(at - _EPOCH) // _MICROSECOND}-{pk}"


def numbered_page(request: HttpRequest, rows: QuerySet[M]) -> Page[M]:
    """Return the page whose number the address names; the first or last one for a number that there is not."""
    return Paginator(rows, ROWS_PER_PAGE).get_page(request.GET.get("page"))


def rows_behind(rows: QuerySet[M], time_field: str) -> tuple[list[M], str]:
    """Return the first ROWS_PER_PAGE rows, newest first, and the cursor of the next page, which is empty at the end."""
    found = list(rows.order_by(f"-{time_field}", "-pk")[: ROWS_PER_PAGE + 1])
    if len(found) <= ROWS_PER_PAGE:
        return found, ""
    last = found[ROWS_PER_PAGE - 1]
    return found[:ROWS_PER_PAGE], cursor_of(getattr(last, time_field), last.pk)


def address_with(request: HttpRequest, **parameters: object) -> str:
    """Return the query of this page with other parameters; None removes one."""
    query = request.GET.copy()
    for name, value in parameters.items():
        query.pop(name, None)
        if value is not None:
            query[name] = str(value)
    return f"?{query.urlencode()}"
