"""Tables of devices, geofences, events and jobs, as django-import-export reads and writes them.

Text that a spreadsheet would run as a formula (OWASP, "CSV Injection") leaves with an apostrophe in front, which is taken
off again when it comes back. Every row is checked by the rules of its model; a fleet is named, never made.
"""

from __future__ import annotations

import json
import math
import re
from datetime import datetime, time
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.formats import sanitize_separators
from django.utils.translation import gettext as _
from import_export import fields, resources
from import_export.widgets import BooleanWidget, FloatWidget, ForeignKeyWidget, IntegerWidget, JSONWidget, Widget

from tasks_app.admin.table_formats import MAX_IMPORT_ROWS
from tasks_app.geo.areas import InvalidArea, validate_area
from tasks_app.geo.windows import InvalidWindows, validate_windows
from tasks_app.geo.wkt import area_from_wkt
from tasks_app.ingest.csv_file import id_in_cell
from tasks_app.models import AuditEntry, Device, Event, Fleet, Geofence, Job
from tasks_app.queries.access import visible_fleets
from tasks_app.utils.refusals import refusal_text
from tasks_app.utils.spreadsheets import guarded, unguarded
from tasks_app.web.quantities import format_number

_ERRORS = ("#DIV/0!", "#N/A", "#NAME?", "#NULL!", "#NUM!", "#REF!", "#VALUE!")
_DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+")
# 1,000 is one where the comma is decimal, and a thousand elsewhere.
_EITHER_COMMA = re.compile(r"[-+]?[1-9]\d{0,2},\d{3}")


class NumberCell(FloatWidget):
    """A number. The library takes yes for one, and NaN."""

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> float | None:
        _refuse_no_number(value)
        number: float | None = super().clean(value, row, **kwargs)
        return number


class WholeNumberCell(IntegerWidget):
    """A whole number, 7.0 among them. The library cuts fractions off."""

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> int | None:
        _refuse_no_number(value)
        try:
            number: int | None = super().clean(value, row, **kwargs)
            is_whole = number is None or Decimal(sanitize_separators(value)) == number
        except (ArithmeticError, TypeError, ValueError) as error:
            raise _no_number(value) from error
        if not is_whole:
            raise ValueError(_("“%(text)s” is no whole number.") % {"text": str(value)[:40]})
        return number


def _refuse_no_number(value: Any) -> None:
    """Raise for what Python takes for a number and a spreadsheet does not."""
    if isinstance(value, bool) or "_" in str(value):
        raise _no_number(value)
    if _is_endless(value):
        # A model's bounds take NaN, and no list could show it as JSON.
        raise ValueError(_("“%(text)s” is no finite number.") % {"text": str(value)[:40]})


def _is_endless(value: Any) -> bool:
    """Whether a cell is NaN or infinite, as a number or a text that Python reads as one."""
    try:
        return not math.isfinite(float(value))
    except (TypeError, ValueError, OverflowError):
        return False


def _no_number(value: Any) -> ValueError:
    return ValueError(_("“%(text)s” is no number.") % {"text": str(value)[:40]})


class GuardedResource(resources.ModelResource):
    """Writes no formula, and takes at most MAX_IMPORT_ROWS rows, each thing in one of them, of fleets that `user` sees."""

    WIDGETS_MAP = {
        kind: {FloatWidget: NumberCell, IntegerWidget: WholeNumberCell}.get(widget, widget)
        for kind, widget in resources.ModelResource.WIDGETS_MAP.items()
    }

    def __init__(self, user: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.user = user
        self._rows_seen: dict[tuple[str, ...], tuple[int, dict[str, Any]]] = {}

    def export_field(self, field: Any, instance: Any, **kwargs: Any) -> Any:
        value = super().export_field(field, instance, **kwargs)
        return guarded(value) if isinstance(value, str) and not _is_number(value) else value

    def before_import(self, dataset: Any, **kwargs: Any) -> None:
        if len(dataset) > MAX_IMPORT_ROWS:
            raise ValidationError(
                _("The file has %(count)s rows, and at most %(most)s are taken at once.")
                % {"count": format_number(len(dataset)), "most": format_number(MAX_IMPORT_ROWS)}
            )
        self._refuse_unknown_columns(dataset)
        self._rows_seen.clear()
        if "fleet" in self.fields:
            self.fields["fleet"].widget.user = self.user

    def _refuse_unknown_columns(self, dataset: Any) -> None:
        """Raise ValidationError for columns that would be left aside, with what is written in them."""
        unknown = [name for name in dataset.headers if name and name not in self.fields]
        if unknown:
            raise ValidationError(
                _("Unknown columns: %(unknown)s. There are %(known)s.")
                % {"unknown": ", ".join(unknown)[:500], "known": ", ".join(self.fields)}
            )
        for number, name in enumerate(dataset.headers):
            if not name and any(value not in (None, "") for value in dataset.get_col(number)):
                raise ValidationError(_("Column %(number)d has no name.") % {"number": number + 1})

    def before_import_row(self, row: Any, **kwargs: Any) -> None:
        for name, value in row.items():
            if value in _ERRORS:
                raise ValueError(
                    _("The spreadsheet has the error %(error)s in %(name)s.") % {"error": value, "name": name}
                )
            if self._is_text(name):
                row[name] = cell_text(value)
            elif isinstance(value, str):
                text = unguarded(value.strip())
                if _EITHER_COMMA.fullmatch(text):
                    raise ValueError(
                        _("“%(text)s” may be read in two ways; write it without a comma.") % {"text": text}
                    )
                row[name] = text.replace(",", ".") if _DECIMAL_COMMA.fullmatch(text) else text

    def after_init_instance(self, instance: Any, new: bool, row: Any, **kwargs: Any) -> None:
        """Refuse a second row about the same thing that says something else: one of the two would be lost."""
        if row is None:
            return
        key = tuple(str(row.get(name, "")) for name in self._meta.import_id_fields)
        first, values = self._rows_seen.setdefault(key, (kwargs["row_number"], dict(row)))
        if values != dict(row):
            raise ValueError(
                _("Row %(number)d is about %(name)s already, and says something else.")
                % {"number": first, "name": " / ".join(key)[:100]}
            )

    def _is_text(self, name: str) -> bool:
        """Whether a column holds texts: a number in it was digits before the spreadsheet."""
        field = self.fields.get(name)
        if field is None:
            return False
        model_field = self._meta.model._meta.get_field(field.attribute)
        return isinstance(model_field, models.CharField | models.TextField | models.ForeignKey)


class FleetWidget(ForeignKeyWidget):
    """A fleet by its name, among those the user sees."""

    user: Any = None

    def __init__(self) -> None:
        super().__init__(Fleet, field="name")

    def get_queryset(self, value: Any, row: Any, *args: Any, **kwargs: Any) -> Any:
        return visible_fleets(self.user) if self.user is not None else Fleet.objects.none()

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> Any:
        try:
            return super().clean(value, row, **kwargs)
        except Fleet.DoesNotExist as error:
            raise ValueError(_("There is no fleet “%(name)s”.") % {"name": str(value)[:100]}) from error


class FlagWidget(BooleanWidget):
    """Yes or no as spreadsheets write it in English, Portuguese, Spanish and German; any other word is an error."""

    TRUE_VALUES = ("1", "true", "yes", "sim", "verdadeiro", "si", "sí", "verdadero", "ja", "wahr")
    FALSE_VALUES = ("0", "false", "no", "não", "nao", "falso", "nein", "falsch")

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> bool | None:
        text = cell_text(value).lower() if value is not None else ""
        if text and text not in (*self.TRUE_VALUES, *self.FALSE_VALUES):
            raise ValueError(_("“%(text)s” is neither yes nor no.") % {"text": text[:40]})
        return text in self.TRUE_VALUES if text else None


class AreaWidget(Widget):
    """An area as GeoJSON text, or as WKT in longitude, latitude order."""

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> Any:
        text = str(value or "")
        try:
            if not text.lstrip().startswith("{"):
                return area_from_wkt(text, order="lonlat")
            area = json.loads(text)
            validate_area(area)
        except (InvalidArea, json.JSONDecodeError, RecursionError) as error:
            raise ValueError(refusal_text(error)) from error
        return area

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> str:
        return json.dumps(value)


class WindowsCellWidget(JSONWidget):
    """Times of the week as JSON; an empty cell is always."""

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> Any:
        windows = super().clean(value, row, **kwargs)
        if windows is None:
            return []
        try:
            validate_windows(windows)
        except InvalidWindows as error:
            raise ValueError(refusal_text(error)) from error
        return windows


class DeviceResource(GuardedResource):
    fleet = fields.Field("fleet", "fleet", widget=FleetWidget())
    is_active = fields.Field("is_active", "is_active", widget=FlagWidget())

    def before_import_row(self, row: Any, **kwargs: Any) -> None:
        super().before_import_row(row, **kwargs)
        row["unique_id"] = id_in_cell(row.get("unique_id") or "")

    class Meta:
        model = Device
        import_id_fields = ("unique_id",)
        fields = (
            "unique_id",
            "name",
            "fleet",
            "kind",
            "is_active",
            "speed_limit_kph",
            "overspeed_tolerance_kph",
            "overspeed_min_seconds",
            "offline_after_minutes",
            "tank_liters",
        )
        export_order = fields
        clean_model_instances = True
        skip_unchanged = True
        report_skipped = True


class GeofenceResource(GuardedResource):
    fleet = fields.Field("fleet", "fleet", widget=FleetWidget())
    area = fields.Field("area", "area", widget=AreaWidget())
    windows = fields.Field("windows", "windows", widget=WindowsCellWidget())
    is_active = fields.Field("is_active", "is_active", widget=FlagWidget())

    class Meta:
        model = Geofence
        import_id_fields = ("fleet", "name")
        fields = (
            "fleet",
            "name",
            "area",
            "is_active",
            "speed_limit_kph",
            "tolerance_meters",
            "dwell_seconds",
            "windows",
        )
        export_order = fields
        clean_model_instances = True
        skip_unchanged = True
        report_skipped = True


class EventResource(GuardedResource):
    class Meta:
        model = Event
        fields = (
            "occurred_at",
            "kind",
            "device__unique_id",
            "device__name",
            "geofence__name",
            "latitude",
            "longitude",
            "data",
        )
        export_order = fields


class JobResource(GuardedResource):
    """Ended jobs. Secrets among their arguments were redacted when the rows were written."""

    class Meta:
        model = Job
        fields = (
            "id",
            "task",
            "queue",
            "state",
            "args",
            "kwargs",
            "requested_by_id",
            "created_at",
            "started_at",
            "finished_at",
            "wait_seconds",
            "run_seconds",
            "attempt_count",
            "worker_host",
            "error_class",
            "error_message",
        )
        export_order = fields


class AuditResource(GuardedResource):
    """Audit entries. Secrets among the changes were hidden when they were written."""

    class Meta:
        model = AuditEntry
        fields = (
            "created_at",
            "user_id",
            "username",
            "way",
            "origin",
            "address",
            "client",
            "verb",
            "object_type",
            "object_id",
            "object_text",
            "changes",
            "reason",
        )
        export_order = fields


def cell_text(value: Any) -> str:
    """The text a person meant by a cell. Raises ValueError for a number that has lost digits, and for no single value.

    48241179.0 is 48241179; a spreadsheet keeps 15 digits of a number, a double 15 to 17.
    """
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float):
        if not math.isfinite(value) or abs(value) >= 2**53:
            raise ValueError(
                _("%(number)s has lost digits in a spreadsheet; format its column as text.") % {"number": value}
            )
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(sep=" ")
    if isinstance(value, list | dict):
        raise ValueError(_("A text must not be a list or an object."))
    return "" if value is None else unguarded(str(value).strip())


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
