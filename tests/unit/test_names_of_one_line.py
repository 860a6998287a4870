"""Names stand in subjects, in lines of e-mails and chats, and in cells: none has a line break, whichever way it comes in."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.core.exceptions import ValidationError

from tasks_app.models.lines import ONE_LINE

OURS = ("tasks_app", "notifications_app", "reports_app")


def test_every_name_that_people_give_is_of_one_line():
    names = [
        field
        for model in apps.get_models()
        if model._meta.app_label in OURS
        for field in model._meta.fields
        # Of a result in the answer of a tracker, and of an uploaded file.
        if field.name == "name" and field.model.__name__ not in ("CommandAttempt", "PositionUpload")
    ]
    assert len(names) > 8
    assert [str(field) for field in names if ONE_LINE not in field.validators] == []


@pytest.mark.parametrize("name", ["Van 1", "Caminhão é azul", "", "👩‍👩‍👧 عربة", "a\u00a0b"])
def test_a_text_of_one_line_is_taken(name):
    ONE_LINE(name)


@pytest.mark.parametrize("name", ["Van\n1", "Van 1\n", "\r", "a\tb", "\x00", "\x1b[2J", "\x7f", "a\x85b", "a\u2028b"])
def test_control_characters_and_line_breaks_are_refused(name):
    with pytest.raises(ValidationError, match="Control characters"):
        ONE_LINE(name)
