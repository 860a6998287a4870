"""Saved views of the job list: filters under a name, one's own and shared ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextInputWidget

from tasks_app.admin.jobs.filters import JobFilterForm
from tasks_app.models import SavedJobView

# One's own, and as many that others share.
MAX_SHOWN = 30
MAX_QUERY_CHARS = 2000


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

    def __init__(self, data: Any = None, *, user: Any = None, query: str = "") -> None:
        super().__init__(data, prefix="view")
        self.label_suffix = ""
        self.user, self.query = user, query

    def clean(self) -> dict[str, Any]:
        """Refuse filters that would be kept in part, which match more, and a view that the list would not show."""
        if len(self.query) > MAX_QUERY_CHARS:
            raise ValidationError(gettext("These filters are too long to be kept as a view: shorten the search."))
        others = SavedJobView.objects.filter(user=self.user).exclude(name=self.cleaned_data.get("name", ""))
        if others.count() >= MAX_SHOWN:
            sentence = gettext("You have %(count)d views, and no more are shown: remove one first.")
            raise ValidationError(sentence % {"count": MAX_SHOWN})
        return self.cleaned_data


def saved_views(user: Any, query: str) -> list[SavedView]:
    """The views this user may open; the one whose filters are those of `query` is the active one."""
    own = SavedJobView.objects.filter(user=user).select_related("user")
    shared = SavedJobView.objects.filter(is_shared=True).exclude(user=user).select_related("user")[:MAX_SHOWN]
    return [
        SavedView(
            id=row.pk,
            name=row.name,
            url=f"?{row.query}",
            shared_by="" if row.user_id == user.pk else row.user.get_username(),
            is_active=row.query == query,
            is_own=row.user_id == user.pk,
        )
        for row in sorted((*own, *shared), key=lambda row: (row.name, row.pk))
    ]


def valid_query(text: str, user: Any) -> str:
    """Return the filters of an address that are valid."""
    return urlencode(JobFilterForm(QueryDict(text), user).chosen())
