"""Writing of audit entries, in the transaction of what they tell of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from tasks_app.engine.storable import storable_text
from tasks_app.models.audit import MAX_OBJECT_TEXT_CHARS, MAX_REASON_CHARS, AuditEntry
from tasks_app.services.audit.people import person_fields, place_fields
from tasks_app.services.audit.values import bounded_changes, kept_given
from tasks_app.utils.audit_source import present_source


class Subject(NamedTuple):
    """The object of an entry."""

    type: str
    id: Any
    text: str = ""


def job_subject(job_id: Any, task: str) -> Subject:
    return Subject("tasks_app.job", job_id, task)


def record(
    verb: str, subject: Subject, *, user: Any = None, reason: str = "", given: Mapping[str, Any] | None = None
) -> None:
    """Write what a person did by a verb. `given` is what they said of it; secrets in it are hidden.

    `user` is who did it, of a request its own user unless said. Called in the transaction of the change, or once it is done
    where it is one of Redis.
    """
    write_entry(verb, subject, changes=kept_given(given or {}), user=user, reason=reason)


def record_all(
    verb: str,
    given: Iterable[tuple[Subject, Mapping[str, Any]]],
    *,
    user: Any = None,
    reason: str = "",
) -> None:
    """Write what a person did to many by one request, as `record` does: an entry for each, in one statement."""
    fields = _fields_of_person(user)
    entries = [_entry(fields, verb, subject, changes=kept_given(values), reason=reason) for subject, values in given]
    AuditEntry.objects.bulk_create(entries)


def write_entry(verb: str, subject: Subject, *, changes: Mapping[str, Any], user: Any = None, reason: str = "") -> None:
    """Write an entry whose changes are as they are kept, but for their size."""
    _entry(_fields_of_person(user), verb, subject, changes=changes, reason=reason).save(force_insert=True)


def _fields_of_person(user: Any) -> dict[str, Any]:
    source = present_source()
    return {**person_fields(source, user), **place_fields(source, user)}


def _entry(
    fields: Mapping[str, Any], verb: str, subject: Subject, *, changes: Mapping[str, Any], reason: str
) -> AuditEntry:
    return AuditEntry(
        **fields,
        verb=verb,
        object_type=subject.type,
        object_id=storable_text(subject.id, 64) if subject.id is not None else "",
        object_text=storable_text(subject.text, MAX_OBJECT_TEXT_CHARS),
        changes=bounded_changes(changes),
        reason=storable_text(reason, MAX_REASON_CHARS),
    )
