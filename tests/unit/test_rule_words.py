"""Descriptions of rules: their times, and what is not filled in yet."""

from __future__ import annotations

import pytest
from django.utils import translation

from notifications_app.messages.rule_description import sentence_of
from notifications_app.messages.rule_words import RuleWords
from notifications_app.messages.window_words import windows_words

DAILY = [0, 1, 2, 3, 4, 5, 6]


def window(days, begin, end):
    return {"days": days, "from": begin, "to": end}


@pytest.mark.parametrize(
    ("windows", "words"),
    [
        ([window(DAILY, "08:00", "18:00")], "between 08:00 and 18:00 (Sao Paulo)"),
        ([window(DAILY, "22:00", "06:00")], "at night from 22:00 to 06:00 (Sao Paulo)"),
        # Three days in a row are a range, two are not, and order does not matter.
        ([window([4, 0, 2, 1, 3], "08:00", "18:00")], "on Monday to Friday between 08:00 and 18:00 (Sao Paulo)"),
        ([window([5, 6], "00:00", "24:00")], "on Saturday and Sunday between 00:00 and 24:00 (Sao Paulo)"),
        ([window([0, 2, 4], "22:00", "06:00")],
         "on the nights of Monday, Wednesday and Friday from 22:00 to 06:00 (Sao Paulo)"),
        ([window([5], "08:00", "12:00"), window([6], "09:00", "10:00")],
         "on Saturday between 08:00 and 12:00 or on Sunday between 09:00 and 10:00 (Sao Paulo)"),
        # More than three would be no sentence any more.
        ([window([day], "08:00", "12:00") for day in range(4)], "at certain times of the week (Sao Paulo)"),
    ],
)  # fmt: skip
def test_times_say_their_days_and_whose_clocks(windows, words):
    assert windows_words(windows, "America/Sao_Paulo") == words


def test_a_rule_of_every_fleet_goes_by_the_clocks_of_each():
    assert windows_words([window(DAILY, "08:00", "18:00")], "").endswith("(on the clocks of each fleet)")


def test_times_are_in_the_readers_language():
    with translation.override("pt-br"):
        words = windows_words([window([0, 1, 2], "22:00", "06:00")], "UTC")
    assert words.lower() == "nas noites de segunda-feira a quarta-feira, de 22:00 a 06:00 (utc)"


def test_what_is_not_filled_in_yet_is_said():
    assert sentence_of(RuleWords()) == "Notify nobody through no channel when (no kind of event is chosen)"
    half = sentence_of(RuleWords(fleet="North", event_kinds=["overspeed"], people=["Ana"]))
    assert half == "Notify Ana through no channel when any vehicle of North is too fast"
