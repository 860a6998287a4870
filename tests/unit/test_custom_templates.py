"""Staff's own texts: what they can say, and everything that they cannot."""

from __future__ import annotations

import pytest
from django.utils.html import escape

from notifications_app.messages.custom_templates import TemplateProblem, check, fill, problems_in

VALUES = {"vehicle": "Van <1>", "speed": "101 km/h", "geofence": ""}


@pytest.mark.parametrize(
    ("source", "filled"),
    [
        ("", ""),
        ("Plain, 100 %", "Plain, 100 %"),
        ("{{ vehicle }}: {{speed}}", "Van <1>: 101 km/h"),
        ("{% if geofence %}in {{ geofence }}{% else %}outside{% endif %}!", "outside!"),
        ("{% if speed %}{% if geofence %}a{% else %}b{% endif %}{% endif %}", "b"),
        ("{% if geofence %}x{% endif %}", ""),
        ("{ vehicle } {{ vehicle", "{ vehicle } {{ vehicle"),
    ],
)
def test_it_fills_values_in(source, filled):
    assert fill(source, VALUES) == filled


def test_it_escapes_values_but_not_the_template():
    assert fill("<b>{{ vehicle }}</b>", VALUES, escape=escape) == "<b>Van &lt;1&gt;</b>"


def test_a_value_is_never_a_template():
    assert fill("{{ vehicle }}", {"vehicle": "{{ speed }}{% if x %}"}) == "{{ speed }}{% if x %}"


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("{{ password }}", "There is no password; there are geofence, speed, vehicle"),
        ("{{ vehicle.owner }}", "not understood"),
        ("{{ vehicle|ljust:1000000000 }}", "not understood"),
        ("{{ }}", "not understood"),
        ("{% for x in vehicle %}", "not understood"),
        ("{% load i18n %}", "not understood"),
        ("{% include 'x' %}", "not understood"),
        ("{% if vehicle %}", "no {% endif %}"),
        ("{% endif %}", "no {% if %}"),
        ("{% else %}", "no {% if %}"),
        ("{% if vehicle %}{% else %}{% else %}{% endif %}", "no {% if %}"),
        ("{% if nobody %}{% endif %}", "There is no nobody"),
        ("{% if vehicle %}" * 6 + "{% endif %}" * 6, "too deeply"),
    ],
)
def test_it_says_what_is_wrong(source, why):
    with pytest.raises(TemplateProblem) as caught:
        check(source, VALUES)
    assert why in str(caught.value)
    with pytest.raises(TemplateProblem):
        fill(source, VALUES)


@pytest.mark.parametrize(
    "html",
    [
        "<script>x</script>", "< IFRAME>", "<a onclick=x>", "<a href='javascript:x'>", "<img src='http://x'>",
        "<p style='background:url(http://x)'>", "<style>@import 'x'</style>", "<link rel=x>", "<svg>", "<form>",
        "<base href=x>",
    ],
)  # fmt: skip
def test_it_refuses_html_that_runs_or_loads_something(html):
    with pytest.raises(TemplateProblem, match="E-mails cannot contain"):
        check(html, VALUES, is_html=True)
    check(html, VALUES)


def test_it_takes_plain_html():
    check('<h2>{{ vehicle }}</h2><a href="{{ speed }}">x</a>', VALUES, is_html=True)


@pytest.mark.parametrize(
    ("source", "is_html", "found"),
    [
        ("{{ vehicle }}\n{{ speed }}", False, []),
        # Every unknown name once, each on the line where it first stands.
        ("{{ a }}\n{{ b }} {{ a }}\n{% if c %}{% endif %}", False, [("no a;", 1), ("no b;", 2), ("no c;", 3)]),
        ("x\ny {% load z %}", False, [("not understood", 2)]),
        ("x\n{% if speed %}\n{% if vehicle %}\n{% endif %}", False, [("no {% endif %}", 2)]),
        ("x\n\n{% endif %}", False, [("no {% if %}", 3)]),
        ("<p>\n{{\nspeed\n}}</p>\n<img>", True, [("cannot contain <img>", 5)]),
        ("<p>\n<\nscript>", True, [("cannot contain <script>", 3)]),
        ("\n".join(f"{{{{ n{number} }}}}" for number in range(99)), False, [(f"no n{n};", n + 1) for n in range(10)]),
    ],
)
def test_problems_say_their_lines(source, is_html, found):
    problems = problems_in(source, VALUES, is_html=is_html)
    assert [problem.line for problem in problems] == [line for _text, line in found]
    assert all(text in str(problem) for problem, (text, _line) in zip(problems, found, strict=True))
