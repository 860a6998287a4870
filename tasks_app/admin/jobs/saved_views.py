"""Saved views of the job list: filters under a name, one's own and shared ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.db.models import Q
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextInputWidget

from tasks_app.admin.jobs.filters import JobFilterForm
from tasks_app.models import SavedJobView

MAX_SHOWN = 30


@dataclass(frozen=True)
class SavedView:
    """A saved view as a link."""

    id: int
    name: str
    url: str
    # The user that shares it, empty for one's own.
    shared_by: str
    is_active: bool
    is_own: bool


class SaveViewForm(forms.Form):
    """The name of a view. One's own view of that name is replaced."""

    name = forms.CharField(label=_("name"), max_length=60, widget=UnfoldAdminTextInputWidget)
    is_shared = forms.BooleanField(label=_("for all that may see jobs"), required=False)

    def __init__(self, data: Any = None) -> None:
        super().__init__(data, prefix="view")
        self.label_suffix = ""


def saved_views(user: Any, query: str) -> list[SavedView]:
    """The views this user may open; the one whose filters are those of `query` is the active one."""
    rows = SavedJobView.objects.filter(Q(user=user) | Q(is_shared=True)).select_related("user")[:MAX_SHOWN]
    return [
        SavedView(
            id=row.pk,
            name=row.name,
            url=f"?{row.query}",
            shared_by="" if row.user_id == user.pk else row.user.get_username(),
            is_active=row.query == query,
            is_own=row.user_id == user.pk,
        )
        for row in rows
    ]


def valid_query(text: str, user: Any) -> str:
    """Return the filters of an address that are valid."""
    return urlencode(JobFilterForm(QueryDict(text[:5000]), user).chosen())[:2000]
