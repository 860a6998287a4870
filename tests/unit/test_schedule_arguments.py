"""The text of a schedule's arguments, read without ever running it."""

from __future__ import annotations

import pytest

from tasks_app.services.schedules.arguments import InvalidSchedule, format_args, format_kwargs, parse_args, parse_kwargs


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, []),
        ("  ", []),
        ("1, 2, 'John'", [1, 2, "John"]),
        ('1, true, null, "a\\/b"', [1, True, None, "a/b"]),
        ("(1, 'x')", [1, "x"]),
        ("(1,)", [1]),
        ("7", [7]),
        ("'7'", ["7"]),
        ("[1, 2]", [[1, 2]]),
        ("[1, true]", [[1, True]]),
        ("{'a': 1}, None", [{"a": 1}, None]),
        ("-1.5", [-1.5]),
    ],
)
def test_it_reads_positional_arguments_in_both_notations(text, expected):
    assert parse_args(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, {}),
        ('{"dry_run": true}', {"dry_run": True}),
        ("{'dry_run': True}", {"dry_run": True}),
        ("x=1, y=2, name='John'", {"x": 1, "y": 2, "name": "John"}),
    ],
)
def test_it_reads_keyword_arguments_in_three_notations(text, expected):
    assert parse_kwargs(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "1, print(2)",
        "NaN",
        "Infinity",
        "days_to_keep=3",
        "1) + (2",
        "(" * 5000,
        "[" * 100_000,
        "9" * 70_000,
        "'open",
    ],
)
def test_it_refuses_positional_arguments_that_are_not_literals(text):
    with pytest.raises(InvalidSchedule):
        parse_args(text)


@pytest.mark.parametrize(
    "text", ["x=print(1)", "**{'x': 1}", "1, x=2", "[1]", "{1: 2}", "x=1)(y=2", "x=1, x=2", "a b", "x=1) or f(y=2"]
)
def test_it_refuses_keyword_arguments_that_are_not_literals(text):
    with pytest.raises(InvalidSchedule):
        parse_kwargs(text)


@pytest.mark.parametrize("values", [[], [1], [[1, 2]], ["é 'quoted' \"twice\" \n \\", None, True, {"a": [1.5]}]])
def test_it_reads_back_what_it_writes(values):
    assert parse_args(format_args(values)) == values
    assert parse_kwargs(format_kwargs({"values": values})) == {"values": values}
