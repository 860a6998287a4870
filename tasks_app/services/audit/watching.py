"""Models whose rows are audited: every save, deletion and change of a list, if a person caused it.

Saving is wrapped and not only listened to: the entry has to be written in the transaction of the row, and Django sends
`post_save` after it. Without a source (utils.audit_source), as in workers, a save costs one look at a context variable.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from django.db import models, router, transaction
from django.db.models.signals import m2m_changed, post_delete

from tasks_app.engine.storable import storable_text
from tasks_app.services.audit.recording import Subject, write_entry
from tasks_app.services.audit.values import Values, changed_values
from tasks_app.utils.audit_source import present_source

# Of the rows that a list gained or lost, so many are named.
MAX_NAMED_ROWS = 50


def subject_of_row(row: models.Model) -> Subject:
    """The row itself as the object of an entry."""
    return Subject(row._meta.label_lower, row.pk, storable_text(row, 200))


def verb_of_change(changes: Values) -> str:
    return "change"


@dataclass(frozen=True, slots=True)
class Watched:
    """How the rows of a model are recorded. `ignored` fields are no change: times that the system keeps."""

    ignored: frozenset[str]
    subject: Callable[[Any], Subject]
    verb: Callable[[Values], str]


_watched: dict[type[models.Model], Watched] = {}


def watch(
    model: type[models.Model],
    *,
    ignored: Iterable[str] = (),
    subject: Callable[[Any], Subject] = subject_of_row,
    verb: Callable[[Values], str] = verb_of_change,
) -> None:
    """Audit this model from now on. Calling it again changes nothing."""
    if model in _watched:
        return
    _watched[model] = Watched(frozenset(ignored), subject, verb)
    model.save_base = _audited(model.save_base)  # type: ignore[method-assign]
    post_delete.connect(_deleted, sender=model, dispatch_uid=f"audit.{model._meta.label}")
    for field in model._meta.many_to_many:
        through: Any = field.remote_field.through
        if through._meta.auto_created:
            m2m_changed.connect(_list_changed, sender=through, dispatch_uid=f"audit.{through._meta.label}")


def watched_models() -> list[type[models.Model]]:
    return list(_watched)


def _audited(save_base: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(save_base)
    def audited_save_base(self: models.Model, raw: bool = False, **options: Any) -> None:
        if raw or present_source() is None:
            save_base(self, raw=raw, **options)
            return
        using = options.get("using") or router.db_for_write(type(self), instance=self)
        is_open = transaction.get_connection(using).in_atomic_block
        with nullcontext() if is_open else transaction.atomic(using=using):
            before = _stored(self)
            save_base(self, raw=raw, **options)
            _record_saved(self, before, options.get("update_fields"))

    return audited_save_base


def _stored(row: models.Model) -> Values | None:
    """The values of the row in the database, None for a new one."""
    if row.pk is None:
        return None
    names = [field.attname for field in row._meta.concrete_fields]
    return type(row)._base_manager.filter(pk=row.pk).values(*names).first()


def _values(row: models.Model, names: Iterable[str] | None = None) -> dict[str, Any]:
    """The row's values by field; of these fields only, if given."""
    watched, deferred = _watched[type(row)], row.get_deferred_fields()
    return {
        field.name: field.to_python(value) if isinstance(value, str | int | float) else value
        for field in row._meta.concrete_fields
        if field.name not in watched.ignored and field.attname not in deferred
        if names is None or field.name in names or field.attname in names
        for value in [getattr(row, field.attname)]
    }


def _filled(values: Values) -> Values:
    """The values that say something."""
    return {name: value for name, value in values.items() if value not in (None, "", [], {})}


def _record_saved(row: models.Model, before: Values | None, names: Iterable[str] | None) -> None:
    watched, after = _watched[type(row)], _values(row, names)
    if before is None:
        write_entry("add", watched.subject(row), changes=changed_values({}, _filled(after)))
        return
    former = {field.name: before[field.attname] for field in row._meta.concrete_fields if field.name in after}
    if changes := changed_values(former, after):
        write_entry(watched.verb(changes), watched.subject(row), changes=changes)


def _deleted(instance: models.Model, **_signal: Any) -> None:
    if present_source() is not None:
        subject = _watched[type(instance)].subject(instance)
        write_entry("delete", subject, changes=changed_values(_filled(_values(instance)), {}))


def _list_changed(
    sender: Any, instance: models.Model, action: str, reverse: bool, model: Any, pk_set: Any, **_signal: Any
) -> None:
    """Note what a list of rows gained or lost. `pre_clear` knows what will have been in it."""
    if action not in ("post_add", "post_remove", "pre_clear") or present_source() is None:
        return
    name, rows = _list_of(sender, instance, reverse)
    if action != "pre_clear":
        rows = model._base_manager.filter(pk__in=list(pk_set or ()))
    if named := [storable_text(row, 100) for row in rows[: MAX_NAMED_ROWS + 1]]:
        more = ["…"] if len(named) > MAX_NAMED_ROWS else []
        key = "added" if action == "post_add" else "removed"
        changes = {name: {key: [*named[:MAX_NAMED_ROWS], *more]}}
        watched = _watched.get(type(instance))
        write_entry("change", (watched.subject if watched else subject_of_row)(instance), changes=changes)


def _list_of(through: Any, instance: models.Model, reverse: bool) -> tuple[str, Any]:
    """The name of the list that a through table holds, and its rows, from the side of `instance`."""
    for field in instance._meta.get_fields(include_hidden=True):
        relation = field if not reverse else getattr(field, "field", None)
        if getattr(getattr(relation, "remote_field", None), "through", None) is through:
            accessor = field.name if not reverse else field.get_accessor_name()  # type: ignore[union-attr]
            if accessor:
                return field.name, getattr(instance, accessor).all()
    return through._meta.model_name, through._base_manager.none()
