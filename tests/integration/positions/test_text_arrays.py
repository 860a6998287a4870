"""Identifiers on their way into a statement: any text comes out as it went in."""

from __future__ import annotations

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from tasks_app.queries.devices import operated_devices
from tasks_app.utils.text_arrays import text_array

ODD = [
    "",
    "NULL",
    "null",
    "a,b",
    "{",
    "}",
    '"',
    "\\",
    '\\"',
    "\\\\",
    " ",
    "  two  ",
    "'",
    "%s",
    "ação",
    "\n\t",
    "\x1f",
    "🚚",
]


def read_back(texts: list[str]) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s::text[]", [text_array(texts)])
        return cursor.fetchone()[0]


class AnyTexts(TestCase):
    @given(st.lists(st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]))))
    def test_come_out_as_they_went_in(self, texts):
        assert read_back(texts) == texts


@pytest.mark.django_db
def test_odd_texts_come_out_as_they_went_in():
    assert read_back(ODD) == ODD
    assert read_back([]) == []


@pytest.mark.parametrize("unique_id", ["a,b", '"', "\\", "NULL", "{van}"])
def test_a_device_with_an_odd_identifier_is_found_and_no_other(operator, make_device, unique_id):
    odd, _ = make_device(unique_id=unique_id), make_device(unique_id="b")
    found = operated_devices(operator, {unique_id, "a"})
    assert found == {odd.unique_id: True}
