"""Form fields that refuse values the database or the engine cannot take."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextareaWidget

from tasks_app.engine import InvalidArguments
from tasks_app.engine.arguments import encode_json


class StrictJSONField(forms.JSONField):
    """JSON as PostgreSQL stores it: no NaN, no NUL characters, no endless nesting."""

    widget = UnfoldAdminTextareaWidget
    # An empty list or object is a value, not a field left empty.
    empty_values = (None, "")

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.widget.attrs.update({"rows": 10, "spellcheck": "false", "class": f"{self.widget.attrs['class']} tk-code"})

    def to_python(self, value: Any) -> Any:
        try:
            decoded = super().to_python(value)
            encode_json(decoded)
        except RecursionError as error:
            raise ValidationError(_("Nested too deeply.")) from error
        except InvalidArguments as error:
            raise ValidationError(str(error)) from error
        except ValueError as error:
            # Python reads no number of thousands of digits.
            raise ValidationError(self.error_messages["invalid"], code="invalid", params={"value": value}) from error
        return decoded

    def bound_data(self, data: Any, initial: Any) -> Any:
        """Return the input unchanged: it may be text that could not be decoded."""
        return data

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, str) or value is None:
            return value
        return json.dumps(value, indent=2, ensure_ascii=False)
