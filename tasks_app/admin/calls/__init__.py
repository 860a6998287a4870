"""Forms of calls of tasks: their arguments as typed fields, when they run, and the tasks to choose from."""

from tasks_app.admin.calls.catalog import (
    ScheduleNote,
    TaskFacts,
    TaskGroup,
    deletes_data,
    register_schedule_note,
    schedule_note,
    task_facts,
    task_groups,
)
from tasks_app.admin.calls.form import CallForm
from tasks_app.admin.calls.pickers import AdminPickManyWidget
from tasks_app.admin.calls.raw import RawCallForm
from tasks_app.admin.calls.recurrence import RecurrenceForm, recurrence_words
from tasks_app.admin.calls.replies import form_errors, pick_reply, preview_of
from tasks_app.admin.calls.saving import ChangedMeanwhile, store_from_forms, version_of_schedule

__all__ = [
    "AdminPickManyWidget",
    "CallForm",
    "ChangedMeanwhile",
    "RawCallForm",
    "RecurrenceForm",
    "ScheduleNote",
    "TaskFacts",
    "TaskGroup",
    "deletes_data",
    "form_errors",
    "pick_reply",
    "preview_of",
    "recurrence_words",
    "register_schedule_note",
    "schedule_note",
    "store_from_forms",
    "task_facts",
    "task_groups",
    "version_of_schedule",
]
