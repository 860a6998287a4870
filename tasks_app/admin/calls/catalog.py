"""The tasks that a person may start, in groups, in the words of their docstrings."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext

from tasks_app.admin.calls.labels import QUEUES
from tasks_app.admin.common import format_seconds
from tasks_app.engine import Task


@dataclass(frozen=True)
class TaskFacts:
    """A task as the pages show it. Never the Task itself: a template would call it, and so run it."""

    name: str
    queue: str
    group: str
    summary: str
    limit: str
    deletes: bool
    schedulable: bool


@dataclass(frozen=True)
class TaskGroup:
    """Tasks of one queue; `internal` are those that the system starts by itself."""

    title: str
    slug: str
    tasks: list[TaskFacts]
    internal: list[TaskFacts]


@dataclass(frozen=True)
class ScheduleNote:
    """A better place than a schedule of the task."""

    text: str | Promise
    link_text: str | Promise
    url_name: str
    permission: str

    @property
    def url(self) -> str:
        return reverse(self.url_name)


_notes: dict[str, ScheduleNote] = {}


def register_schedule_note(task_names: Collection[str], note: ScheduleNote) -> None:
    """Let the form of these tasks lead to a page of an app above where a schedule is about to be made."""
    _notes.update(dict.fromkeys(task_names, note))


def schedule_note(task_name: str, user: Any) -> ScheduleNote | None:
    """Return the note for a task, None for a user who may not use the page it leads to."""
    note = _notes.get(task_name)
    return note if note and user.has_perm(note.permission) else None


def task_facts(task: Task[Any, Any]) -> TaskFacts:
    """Return the task for pages, with its docstring in the reader's language."""
    return TaskFacts(
        name=task.name,
        queue=task.queue,
        group=_title(task.queue),
        summary=gettext(task.summary) if task.summary else "",
        limit=format_seconds(task.timeout_seconds),
        deletes=deletes_data(task),
        schedulable=task.schedulable,
    )


def deletes_data(task: Task[Any, Any]) -> bool:
    """Return whether the task removes rows or files: a clean-up that can be tried with a dry run."""
    is_removal = task.name.startswith("cleanup_") or ".delete_" in (task.permission or "")
    return is_removal and "dry_run" in task.parameter_names


def is_internal(task: Task[Any, Any]) -> bool:
    """Return whether the system starts the task by itself: code makes its rows, or it is a sweep that only superusers
    may start. A clean-up is for people, also one for superusers."""
    return not task.schedulable or (task.permission is None and "dry_run" not in task.parameter_names)


def task_groups(tasks: list[Task[Any, Any]], text: str = "") -> list[TaskGroup]:
    """Return the tasks whose name, group or summary contains each word of `text`, by queue."""
    words = text.casefold().split()
    found: dict[str, tuple[list[TaskFacts], list[TaskFacts]]] = {}
    for task in tasks:
        facts = task_facts(task)
        haystack = f"{facts.name} {facts.name.replace('_', ' ')} {facts.group} {facts.summary}".casefold()
        if all(word in haystack for word in words):
            found.setdefault(task.queue, ([], []))[is_internal(task)].append(facts)
    order = {queue: number for number, queue in enumerate(QUEUES)}
    queues = sorted(found, key=lambda queue: (order.get(queue, len(order)), queue))
    return [TaskGroup(_title(queue), queue, *found[queue]) for queue in queues]


def _title(queue: str) -> str:
    return str(QUEUES.get(queue, capfirst(queue)))
