"""The language of searches: what is understood, and the sentence for what is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks_app.utils.search_language import MAX_LENGTH, InvalidSearch, Term, parse_search, quoted, written

NAMES = ("task", "device", "args.")


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("", []),
        (" \t\n ", []),
        ("van", [Term("van")]),
        ("van gone", [Term("van"), Term("gone")]),
        ('"van gone"', [Term("van gone")]),
        ("“van gone”", [Term("van gone")]),
        ("-van", [Term("van", is_negated=True)]),
        ("- van", [Term("-"), Term("van")]),
        ("--json", [Term("-json", is_negated=True)]),
        ("task:x", [Term("x", "task")]),
        ("TASK:x", [Term("x", "task")]),
        ('-device:"Van 03" late', [Term("Van 03", "device", is_negated=True), Term("late")]),
        ("args.device_id:7", [Term("7", "args", "device_id")]),
        # A colon that no name stands before belongs to the word.
        ("12:30", [Term("12:30")]),
        ("task:a:b", [Term("a:b", "task")]),
        ('wor"d', [Term('wor"d')]),
        ('"http://x/"', [Term("http://x/")]),
        ('-"van “gone" "long ago"', [Term("van “gone", is_negated=True), Term("long ago")]),
        ("🚚 task:🚚", [Term("🚚"), Term("🚚", "task")]),
        ("שלום task:مرحبا", [Term("שלום"), Term("مرحبا", "task")]),
        ("</script>", [Term("</script>")]),
        ("%_\\ '; drop table", [Term("%_\\"), Term("';"), Term("drop"), Term("table")]),
    ],
)
def test_a_search_is_read_as_its_terms(text, terms):
    assert parse_search(text, NAMES) == terms
    assert parse_search(" ".join(map(written, terms)), NAMES) == terms


@pytest.mark.parametrize(
    ("text", "part_of_the_sentence"),
    [
        ("colour:red", "task:, device:, args.<name>:"),
        ("args:7", "There are: task:"),
        ("task.x:7", 'no "task.x:"'),
        ("http://x", "Put quotes around"),
        ('"open', "not closed"),
        ('task:"open', "not closed"),
        ("task:", "behind task:"),
        ('task:""', "behind task:"),
        ("task: x", "behind task:"),
        ('""', "nothing to search for"),
        ("x" * (MAX_LENGTH + 1), "at most 500 characters"),
        ("x" * 10_000, "at most 500 characters"),
        ("x " * 21, "at most 20 terms"),
        ("a\x00b", "characters that are none"),
        ("a\ud800b", "characters that are none"),
    ],
)
def test_what_is_not_understood_is_answered_with_a_sentence(text, part_of_the_sentence):
    with pytest.raises(InvalidSearch) as caught:
        parse_search(text, NAMES)
    assert part_of_the_sentence in str(caught.value)


@given(st.text(max_size=600))
def test_any_text_is_terms_or_a_sentence(text):
    try:
        terms = parse_search(text, NAMES)
    except InvalidSearch as error:
        terms = [Term(str(error))]
    assert all(term.value for term in terms)


@given(
    st.text(
        alphabet=st.characters(exclude_characters='"“”\x00', exclude_categories=["Cs", "Cc", "Z"]),
        min_size=1,
        max_size=50,
    )
)
def test_a_quoted_value_is_read_as_it_was(value):
    assert parse_search(f"task:{quoted(value)}", NAMES) == [Term(value, "task")]
