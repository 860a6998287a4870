"""Joined static files: what becomes of their parts."""

from __future__ import annotations

import pytest
from django.contrib.staticfiles import finders

from tasks_app.web import joined_files
from tasks_app.web.joined_files import JOINED, join


@pytest.fixture
def joining(monkeypatch):
    def joined(name: str, parts: dict[str, str]) -> str:
        monkeypatch.setattr(joined_files, "JOINED", {name: tuple(parts)})
        return join(name, parts.__getitem__)

    return joined


def test_a_script_that_ends_without_a_semicolon_does_not_call_the_next_one(joining):
    assert joining("x.js", {"a.js": "start()", "b.js": "(() => {})()"}) == "start()\n;\n(() => {})()\n;\n"


@pytest.mark.parametrize("comment", ["//# sourceMappingURL=a.js.map", "/*# sourceMappingURL=a.css.map */"])
def test_maps_of_the_sources_are_left_out(joining, comment):
    assert "sourceMapping" not in joining("x.js", {"a.js": f"start();\n{comment}\n"})


@pytest.mark.parametrize(
    ("style", "moved"),
    [
        ("a { src: url(icon.png) }", "a { src: url(../../lib/icon.png) }"),
        ("a { src: url('img/icon.png') }", "a { src: url('../../lib/img/icon.png') }"),
        ('a { src: url("../icon.png") }', 'a { src: url("../../lib/../icon.png") }'),
        # Those that say where they are by themselves.
        ("a { src: url(/static/icon.png) }", "a { src: url(/static/icon.png) }"),
        ("a { src: url(data:image/png;base64,AA) }", "a { src: url(data:image/png;base64,AA) }"),
        ("a { behavior: url(#default#VML) }", "a { behavior: url(#default#VML) }"),
    ],
)
def test_pictures_and_fonts_of_style_sheets_are_found_from_the_joined_one(joining, style, moved):
    assert joining("tasks_app/joined/x.css", {"lib/a.css": style}) == moved


@pytest.mark.parametrize("name", sorted(JOINED))
def test_every_part_is_a_file(name):
    assert [part for part in JOINED[name] if not finders.find(part)] == []
