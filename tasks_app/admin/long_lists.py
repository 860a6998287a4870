"""Lists of tables that grow with every device and day, around whose rows nothing needs a look at all of them."""

from __future__ import annotations

from datetime import date, timedelta, tzinfo
from typing import Any, TypeVar

from django.db.models import Max, Min, Model, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import cached_property

from tasks_app.admin.model_admin import ChangeList, ListPaginator

M = TypeVar("M", bound=Model)
# So many rows have numbered pages; to older ones leads a day.
MOST_COUNTED = 50_000


class BoundedPaginator(ListPaginator):
    """Pages of the first rows, MOST_COUNTED at most."""

    @cached_property
    def counted(self) -> int:
        """The number of rows, or one more than are counted."""
        return int(self.object_list.order_by()[: MOST_COUNTED + 1].count())  # type: ignore[attr-defined]

    @property
    def has_more(self) -> bool:
        return self.counted > MOST_COUNTED

    @cached_property
    def count(self) -> int:
        return min(self.counted, MOST_COUNTED)


class SpannedQuerySet(QuerySet[M]):
    """Rows whose days, months and years are those from the first to the last, which an index knows without reading the rows."""

    @classmethod
    def of(cls, rows: QuerySet[M]) -> SpannedQuerySet[M]:
        made = cls(rows.model, rows.query.chain(), rows.db, rows._hints)  # type: ignore[attr-defined]
        made._prefetch_related_lookups = rows._prefetch_related_lookups  # type: ignore[attr-defined]
        return made

    def dates(self, field_name: str, kind: str, order: str = "ASC") -> Any:
        ends = self.aggregate(first=Min(field_name), last=Max(field_name))
        return spans(ends["first"], ends["last"], kind)

    def datetimes(self, field_name: str, kind: str, order: str = "ASC", tzinfo: tzinfo | None = None) -> Any:
        ends = self.aggregate(first=Min(field_name), last=Max(field_name))
        local = {name: timezone.localtime(at, tzinfo).date() for name, at in ends.items() if at is not None}
        return spans(local.get("first"), local.get("last"), kind)


def spans(first: date | None, last: date | None, kind: str) -> list[date]:
    """Return the first day of each year, month or day (`kind`) from one day to another; none without them."""
    if first is None or last is None:
        return []
    days = (first + timedelta(days=number) for number in range((last - first).days + 1))
    begins = {
        "year": lambda day: day.replace(month=1, day=1),
        "month": lambda day: day.replace(day=1),
        "day": lambda day: day,
    }[kind]
    return list(dict.fromkeys(begins(day) for day in days))


class LongChangeList(ChangeList):
    """The list of a table that grows."""

    def get_queryset(self, request: HttpRequest, *args: Any, **kwargs: Any) -> QuerySet[Any]:
        return SpannedQuerySet.of(super().get_queryset(request, *args, **kwargs))

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        is_whole = not (self.query or self.get_filters_params())
        if is_whole or getattr(self.paginator, "has_more", False):
            # The theme names the number of rows beside the title where it is not that of all.
            self.full_result_count = self.result_count


class LongListAdmin:
    """A mixin for pages about tables that grow."""

    paginator: Any = BoundedPaginator
    show_full_result_count = False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return LongChangeList
