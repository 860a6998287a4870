"""Writing a schedule from its forms."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _
from django_q.models import Schedule

from tasks_app.admin.calls.form import CallForm
from tasks_app.admin.calls.raw import RawCallForm
from tasks_app.admin.calls.recurrence import RecurrenceForm
from tasks_app.engine import TaskNotPermitted
from tasks_app.services.rows import hold_row
from tasks_app.services.schedules import save_schedule

_ARGUMENTS = ("args", "kwargs")


def store_from_forms(
    schedule: Schedule, call: CallForm | RawCallForm, recurrence: RecurrenceForm, *, user: Any
) -> Schedule:
    """Save a row with the input of valid forms, and note it in the history.

    Raises ValidationError once the refusal stands beside its field, RowGone.
    """
    is_new = schedule.pk is None
    try:
        with transaction.atomic():
            if not is_new:
                hold_row(schedule)
            call.write(schedule)
            recurrence.apply(schedule)
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


def _show(error: ValidationError, call: CallForm | RawCallForm, recurrence: RecurrenceForm) -> None:
    for name, texts in error.message_dict.items():
        for text in texts:
            if name in _ARGUMENTS:
                call.show_refusal(name, text)
            else:
                recurrence.add_error(name if name in recurrence.fields else None, text)
