"""The rows that a deletion takes along, as the page that asks for it shows them.

Django writes the name and the address of every row before any can be left out: half a minute for the five thousand devices of a
list, of which the page names a few.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.contrib.admin.utils import NestedObjects, quote
from django.db import router
from django.db.models import Model
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.text import capfirst
from django.utils.translation import ngettext

from tasks_app.web.quantities import format_number

# Rows that the confirmation of a deletion names, of those that go with one other row.
MOST_NAMED = 25


def deleted_objects(objs: Any, request: HttpRequest, site: Any, left_out: Collection[type[Model]]) -> Any:
    """Return what `ModelAdmin.get_deleted_objects` does, without rows of `left_out` and those that only link two others."""
    if not objs:
        return [], {}, set(), []
    found: Any = NestedObjects(using=router.db_for_write(type(objs[0])), origin=objs)
    found.collect(objs)
    shown = {
        model: rows
        for model, rows in found.model_objs.items()
        if model not in left_out and not model._meta.auto_created
    }
    counts = {model._meta.verbose_name_plural: len(rows) for model, rows in shown.items()}
    missing = {row._meta.verbose_name for row in found.protected if not _may_delete(site, request, [row])}
    missing |= {model._meta.verbose_name for model, rows in shown.items() if not _may_delete(site, request, rows)}
    return _tree(found.edges, None, shown, set(), site), counts, missing, [_named(site, row) for row in found.protected]


def _may_delete(site: Any, request: HttpRequest, rows: Collection[Any]) -> bool:
    """Whether the pages of these rows, all of one kind, let this person delete them; those without pages go with others."""
    model = type(next(iter(rows)))
    if not site.is_registered(model):
        return True
    return all(site.get_model_admin(model).has_delete_permission(request, row) for row in rows)


def _tree(edges: dict[Any, list[Any]], parent: Any, shown: Collection[Any], seen: set[Any], site: Any) -> list[Any]:
    """Return the names of rows that go with `parent`, each followed by the list of those that go with it."""
    rows = [row for row in edges.get(parent, ()) if type(row) in shown and row not in seen]
    seen.update(rows)
    is_long = len(rows) > MOST_NAMED + 1
    names: list[Any] = []
    for row in rows[:MOST_NAMED] if is_long else rows:
        names.append(_named(site, row))
        if below := _tree(edges, row, shown, seen, site):
            names.append(below)
    if is_long:
        left = len(rows) - MOST_NAMED
        more = ngettext("and %(count)s more", "and %(count)s more", left)
        names.append(more % {"count": format_number(left)})
    return names


def _named(site: Any, row: Any) -> str:
    """The kind and the name of a row, with a link where it has a page."""
    options, kind = row._meta, capfirst(row._meta.verbose_name)
    if site.is_registered(type(row)):
        page = f"{site.name}:{options.app_label}_{options.model_name}_change"
        try:
            return format_html('{}: <a href="{}">{}</a>', kind, reverse(page, args=[quote(row.pk)]), row)
        except NoReverseMatch:
            pass
    return f"{kind}: {row}"
