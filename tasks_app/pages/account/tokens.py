"""API tokens as their page shows them, and the form by which a person makes one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from tasks_app.models import DEFAULT_SCOPES, Scope
from tasks_app.queries.sessions import scopes_of

NEVER = "never"
LIFETIMES = [
    ("default", _("as usual here")),
    ("7", _("in 7 days")),
    ("30", _("in 30 days")),
    ("365", _("in a year")),
    (NEVER, _("never")),
]


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A token of the list."""

    token_key: str
    name: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None

    @classmethod
    def of(cls, token: Any) -> TokenRow:
        details = getattr(token, "details", None)
        held = scopes_of(token)
        names = [scope.short_name for scope in Scope if scope in held]
        used_at = details and details.last_used_at
        return cls(token.token_key, details.name if details else "", names, token.created, token.expiry, used_at)


class TokenForm(forms.Form):
    """Name, scopes and end of a new token."""

    use_required_attribute = False
    name = forms.CharField(label=_("Name"), max_length=60, required=False, help_text=_("The program that uses it."))
    scopes = forms.MultipleChoiceField(
        label=_("What it may do"),
        choices=Scope.choices,
        widget=forms.CheckboxSelectMultiple,
        initial=[str(scope) for scope in DEFAULT_SCOPES],
        help_text=_("Never more than you may yourself."),
    )
    lifetime = forms.ChoiceField(label=_("Expires"), choices=LIFETIMES, initial="default")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "label_suffix": ""})

    @property
    def wish(self) -> dict[str, Any]:
        """The arguments of `issue_token`, of a valid form."""
        chosen = self.cleaned_data["lifetime"]
        named = {"default": "default", NEVER: None}
        lifetime = named[chosen] if chosen in named else timedelta(days=int(chosen))
        return {"name": self.cleaned_data["name"], "scopes": self.cleaned_data["scopes"], "lifetime": lifetime}
