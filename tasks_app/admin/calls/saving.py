"""Writing a schedule from its forms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import transaction
from django.utils.translation import gettext as _
from django_q.models import Schedule

from tasks_app.admin.calls.form import CallForm
from tasks_app.admin.calls.raw import RawCallForm
from tasks_app.admin.calls.recurrence import RecurrenceForm
from tasks_app.engine import TaskNotPermitted
from tasks_app.models import ScheduleState
from tasks_app.services.rows import hold_row
from tasks_app.services.schedules import save_schedule
from tasks_app.web.versions import changed_meanwhile, changed_names, values_of, version_of

_ARGUMENTS = ("args", "kwargs")
_VERSIONED = (*_ARGUMENTS, "name", "schedule_type", "minutes", "cron")


class ChangedMeanwhile(ValidationError):
    """Another person changed what the input would change back; `version` is that of the row as they left it."""

    def __init__(self, labels: Iterable[str], version: str) -> None:
        super().__init__({NON_FIELD_ERRORS: changed_meanwhile(labels)})
        self.version = version


def store_from_forms(
    schedule: Schedule, call: CallForm | RawCallForm, recurrence: RecurrenceForm, *, user: Any, seen: str = ""
) -> Schedule:
    """Save a row with the input of valid forms, and note it in the history.

    `seen` is the version that the forms were made from. What another person changed since and the input changes back is
    refused; with no version nothing is.
    Raises ValidationError, and ChangedMeanwhile for that, once the refusal stands beside its field; RowGone.
    """
    is_new = schedule.pk is None
    try:
        with transaction.atomic():
            if not is_new:
                hold_row(schedule)
            held = _values_of(schedule, _stored_zone(schedule)) if seen else {}
            call.write(schedule)
            recurrence.apply(schedule)
            _refuse_changes_back(seen, held, _values_of(schedule, recurrence.cleaned_data["time_zone"]))
            saved = save_schedule(schedule, user=user, time_zone=recurrence.cleaned_data["time_zone"])
            message = _("Added") if is_new else _("Changed")
            LogEntry.objects.log_actions(user.pk, [saved], ADDITION if is_new else CHANGE, message, single_object=True)
    except TaskNotPermitted as error:
        call.add_error(None, str(error))
        raise ValidationError(str(error)) from error
    except ValidationError as error:
        _show(error, call, recurrence)
        raise
    return saved


def version_of_schedule(schedule: Schedule) -> str:
    """Return the version of what the forms of a stored schedule change: not of what its runs do."""
    return version_of(_values_of(schedule, _stored_zone(schedule)))


def _stored_zone(schedule: Schedule) -> str:
    return ScheduleState.objects.filter(schedule=schedule).values_list("time_zone", flat=True).first() or ""


def _values_of(schedule: Schedule, time_zone: str) -> dict[str, Any]:
    return {**values_of(schedule, _VERSIONED), "time_zone": time_zone}


def _refuse_changes_back(seen: str, held: Mapping[str, Any], entered: Mapping[str, Any]) -> None:
    version = version_of(held)
    changed = [name for name in changed_names(seen, version) if entered[name] != held[name]]
    if changed:
        raise ChangedMeanwhile(dict.fromkeys(map(_label, changed)), version)


def _label(name: str) -> str:
    if name in _ARGUMENTS:
        return _("Arguments")
    fields = RecurrenceForm.base_fields
    return str(fields[name].label) if name in fields else name


def _show(error: ValidationError, call: CallForm | RawCallForm, recurrence: RecurrenceForm) -> None:
    for name, texts in error.message_dict.items():
        for text in texts:
            if name in _ARGUMENTS:
                call.show_refusal(name, text)
            else:
                recurrence.add_error(name if name in recurrence.fields else None, text)
