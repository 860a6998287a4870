"""Forms that the admin and the pages at / share: a destination, and a person's own preferences."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from notifications_app.channels.base import InvalidDestination
from notifications_app.channels.registry import CHANNELS
from notifications_app.models import Destination, NotificationPreference
from notifications_app.models.kinds import channel_choices
from notifications_app.services.destinations import set_address

ZONES_LIST = "time-zones"
READING_FIELDS = ("language", "time_zone", "distance_unit", "speed_unit", "altitude_unit", "volume_unit")


class DestinationForm(forms.ModelForm):
    """A destination, whose address is entered here and never shown again."""

    url = forms.CharField(
        label=_("Address"),
        max_length=2000,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        help_text=_(
            "Of a webhook its web address (https://...), of a chat, SMS or push service its Apprise address "
            "(tgram://token/chat). It is stored encrypted and not shown again."
        ),
    )

    class Meta:
        model = Destination
        fields = ("kind", "name")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.fields["url"].help_text = format_lazy(
                "{} {}", self.fields["url"].help_text, _("Leave it empty to keep it.")
            )
        if "kind" in self.fields:
            kinds = [kind for kind, channel in CHANNELS.items() if channel.has_destinations]
            self.fields["kind"].choices = [  # type: ignore[attr-defined]
                (kind, label) for kind, label in channel_choices() if kind in kinds
            ]

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or self.cleaned_data
        url = cleaned.get("url", "")
        if not url and self.instance.pk is None:
            self.add_error("url", _("Give an address."))
        if url and (kind := cleaned.get("kind", self.instance.kind)):
            self.instance.kind = kind
            try:
                set_address(self.instance, url)
            except InvalidDestination as error:
                self.add_error("url", str(error))
        return cleaned


def own_preference(request: Any) -> NotificationPreference:
    """Return the preferences of the user who asks; those that the request goes by if there are none yet."""
    user_id = request.user.pk
    stored = NotificationPreference.objects.filter(user_id=user_id).first()
    return stored or NotificationPreference(user_id=user_id, language=request.LANGUAGE_CODE)
