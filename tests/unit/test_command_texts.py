"""Commands and frames of trackers in words."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.utils import translation

from tasks_app.admin.trackers.rows import frame_rows
from tasks_app.models import Command
from tasks_app.queries.trackers import RawFrame
from tasks_app.web.commands import parameters_text


@pytest.mark.parametrize(
    ("type_name", "parameters", "text"),
    [
        ("reboot", {}, ""),
        # In the order of the type, whatever that of the database; an on or off needs no name.
        ("output", {"is_on": True, "output": 2}, "Output: 2 · On"),
        ("output", {"is_on": False, "output": 2}, "Output: 2 · Off"),
        # A parameter called as its type.
        ("custom", {"text": "STATUS#"}, "STATUS#"),
        # A type, or a parameter, that there is no more.
        ("gone", {"volume": 3}, "volume: 3"),
        ("reboot", {"delay": 3}, "delay: 3"),
    ],
)
def test_parameters_are_one_line(type_name, parameters, text):
    assert parameters_text(Command(type=type_name, parameters=parameters)) == text


@pytest.mark.parametrize(
    ("note", "words"),
    [("position", "posição"), ("wrong_checksum", "ilegível: soma de verificação errada"), ("of_later", "of_later")],
)
def test_what_a_frame_is_stands_in_the_readers_language(note, words):
    frame = RawFrame(datetime(2026, 11, 30, tzinfo=UTC), "in", b"x", note)
    with translation.override("pt-br"):
        assert str(frame_rows([frame])[0]["note"]) == words
