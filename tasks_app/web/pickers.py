"""Fields that name rows: a text with suggestions from the server, which works without a script too.

What is typed is a number (`7`, `#7`), or the name of one row. A suggestion ends in its number: `Van 03 · South #7`.
"""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import QueryDict
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from tasks_app.queries.references import rows_by_id, rows_called, search_rows

MAX_CHARACTERS = 300
MAX_SEARCHED = 200
MAX_ROWS = 5000
_NUMBER = re.compile(r"(?:^|#)\s*([0-9]{1,18})\s*$")


def shown(kind: str, user: Any, row_id: int) -> str:
    """Return the text that stands for a row; only its number for one that the user may not see."""
    found = rows_by_id(kind, user, [row_id])
    return f"{found[0].text} #{row_id}" if found else f"#{row_id}"


def row_id_of(kind: str, user: Any, text: str) -> int:
    """Return the id of the row that a text names. Raises ValidationError."""
    if len(text) > MAX_CHARACTERS:
        raise ValidationError(_("This is longer than a name."))
    if number := _NUMBER.search(text):
        return int(number[1])
    found = rows_called(kind, user, text)
    if len(found) > 1:
        raise ValidationError(_("Several are called “%(text)s”: choose one from the list.") % {"text": text})
    if not found:
        raise ValidationError(
            _("Nothing is called “%(text)s”: choose from the list, or give a number.") % {"text": text}
        )
    return found[0].id


def suggestions(kind: str, user: Any, text: str) -> list[str]:
    """Return the rows that the user may see and that fit what was typed. Raises KeyError for an unknown kind."""
    return [f"{row.text} #{row.id}" for row in search_rows(kind, user, text[:MAX_SEARCHED])]


class PickWidget(forms.TextInput):
    """A text field with the address of its suggestions."""

    url_name = "pages:pick"

    def __init__(self, kind: str, user: Any) -> None:
        attributes = {"data-pick": reverse(self.url_name, args=[kind]), "data-nothing": _("Nothing found.")}
        super().__init__({**attributes, "autocomplete": "off"})
        self.kind, self.user = kind, user

    def format_value(self, value: Any) -> Any:
        return shown(self.kind, self.user, value) if isinstance(value, int) else value


class Picks:
    """A mixin of fields that name rows of a kind, those that the user may see."""

    widget_class: type[PickWidget] = PickWidget

    def __init__(self, kind: str, user: Any, **options: Any) -> None:
        super().__init__(widget=self.widget_class(kind, user), **options)  # type: ignore[call-arg]
        self.kind, self.user = kind, user


class PickField(Picks, forms.CharField):
    """One row; its cleaned value is the id."""

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        return row_id_of(self.kind, self.user, text) if text else None


class PickManyWidget(PickWidget):
    """The chosen rows as ticked boxes, and a text field for more of them."""

    def use_required_attribute(self, initial: Any) -> bool:
        """Return False: the text is empty where all rows are chosen, and a browser would refuse it."""
        return False

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        return data.getlist(name) if isinstance(data, QueryDict) else data.get(name)

    def format_value(self, value: Any) -> Any:
        return value

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        values = [value] if isinstance(value, str | int) else list(value or [])
        numbers = [int(one) for one in values if isinstance(one, int) or _is_number(one)]
        texts = [one for one in values if isinstance(one, str) and one and not _is_number(one)]
        names = {row.id: row.text for row in rows_by_id(self.kind, self.user, numbers[:MAX_ROWS])}
        context = {
            "name": name,
            "chosen": [(number, names.get(number, f"#{number}")) for number in dict.fromkeys(numbers[:MAX_ROWS])],
            "input": super().render(name, ", ".join(texts), attrs, renderer),
        }
        return render_to_string("tasks_app/parts/pick_many.html", context)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19


class PickManyField(Picks, forms.Field):
    """Several rows; its cleaned value is the list of ids, None for none."""

    widget_class = PickManyWidget

    def clean(self, value: Any) -> Any:
        texts = [text.strip() for text in ([value] if isinstance(value, str) else value or []) if text.strip()]
        if len(texts) > MAX_ROWS:
            raise ValidationError(_("At most %(count)d can be chosen.") % {"count": MAX_ROWS})
        ids = [row_id for text in texts for row_id in self._ids_in(text)]
        super().validate(ids or None)
        return list(dict.fromkeys(ids)) or None

    def _ids_in(self, text: str) -> list[int]:
        """Return the rows of one text: a number, one name, which may have commas in it, or several between commas."""
        is_suggestion = text.count("#") == 1 and _NUMBER.search(text)
        if "," not in text or is_suggestion or len(rows_called(self.kind, self.user, text)) == 1:
            return [row_id_of(self.kind, self.user, text)]
        if len(text) > MAX_CHARACTERS * 10:
            raise ValidationError(_("This is longer than a name."))
        return [row_id_of(self.kind, self.user, part.strip()) for part in text.split(",") if part.strip()]


class PickRowsField(PickManyField):
    """Several rows of a queryset, for forms whose fields are relations; its cleaned value is the list of rows.

    The names that it suggests and shows are those of the source `kind`, which must not have more rows than `queryset`.
    """

    def __init__(self, kind: str, user: Any, queryset: QuerySet[Any], **options: Any) -> None:
        super().__init__(kind, user, **options)
        self.queryset = queryset

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, str) or value is None:
            return value
        return [getattr(one, "pk", one) for one in value]

    def clean(self, value: Any) -> list[Any]:
        ids = super().clean(value) or []
        rows = self.queryset.in_bulk(ids) if ids else {}
        if missing := [one for one in ids if one not in rows]:
            numbers = ", ".join(map(str, missing[:10]))
            raise ValidationError(_("There is no such row: %(ids)s.") % {"ids": numbers})
        return [rows[one] for one in ids]

    def has_changed(self, initial: Any, data: Any) -> bool:
        texts = data if isinstance(data, list) else [data]
        return sorted(map(str, self.prepare_value(initial) or [])) != sorted(text for text in texts if text)
