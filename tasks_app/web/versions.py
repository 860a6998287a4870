"""Forms that notice when a row was changed by another person while it was edited."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from tasks_app.utils.clock import exact_time


class VersionField(forms.CharField):
    """The version of a row in a form: no field that a person changes."""

    widget = forms.HiddenInput

    def has_changed(self, initial: Any, data: Any) -> bool:
        return False


class UnchangedMeanwhile(forms.ModelForm):
    """A form of a model with `updated_at`: posts the version it was made from, and refuses to overwrite a newer one.

    What was typed stays in the form. Without a version, as programs post, nothing is refused.
    """

    version = VersionField(label="", required=False, max_length=40)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if "version" in self.fields and self.instance.pk is not None:
            self.fields["version"].initial = self.instance.updated_at.isoformat()

    def clean(self) -> dict[str, Any] | None:
        values = super().clean()
        version = self.cleaned_data.get("version")
        if self.instance.pk is None or not version:
            return values
        # Locked until the end of the transaction that saves, so that of two at once one sees the other's.
        current = type(self.instance)._default_manager.select_for_update().filter(pk=self.instance.pk).first()
        if current is not None and current.updated_at.isoformat() != version:
            raise ValidationError(
                _(
                    "It was changed by another person at %(time)s, after you opened it. Your input is still here and was "
                    "not saved. Open it again in another tab to see the changes."
                )
                % {"time": exact_time(current.updated_at)}
            )
        return values
