"""Saved views of the job list."""

from __future__ import annotations

from typing import Any

from tasks_app.models import SavedJobView


def save_job_view(*, user: Any, name: str, query: str, is_shared: bool) -> SavedJobView:
    """Keep filters of the job list under a name; the user's own view of that name is replaced."""
    values = {"query": query, "is_shared": is_shared}
    view, _is_new = SavedJobView.objects.update_or_create(user=user, name=name, defaults=values)
    return view


def remove_job_view(*, user: Any, view_id: int) -> bool:
    """Remove one of the user's own views; return whether there was one."""
    removed, _rows = SavedJobView.objects.filter(pk=view_id, user=user).delete()
    return removed > 0
