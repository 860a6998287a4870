"""Names and docstrings keep to the words of docs/glossary.md."""

from __future__ import annotations

import ast
import re
import tokenize
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("trackerproject", "tasks_app", "notifications_app", "reports_app", "tests", "benchmarks")

# Private words of earlier versions, and the word of the glossary in their place.
REPLACED = {
    "told": "notified",
    "tell": "notify",
    "tells": "notifies",
    "news": "update, subject or draft",
    "moment": "at, time",
    "moments": "times",
    "doubled": "duplicates",
    "minder": "watchdog",
    "leaks": "orphans",
    "placeless": "unlocated",
    "wording": "template rendering",
}
WORD = re.compile(r"[A-Z]?[a-z]+")
PRIVATE_PHRASE = re.compile(r"\b((is|are|was|were|be|been) (not |never )?told|somebody|whoever)\b", re.IGNORECASE)
RELATIVE_CLAUSE = re.compile(r"(What|Who|Whoever|Whose)\b")


def sources() -> Iterator[tuple[str, str]]:
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if "migrations" not in path.parts and path != Path(__file__):
                yield str(path.relative_to(ROOT)), path.read_text()


def trees() -> Iterator[tuple[str, ast.Module]]:
    for path, source in sources():
        yield path, ast.parse(source)


def comments_and_texts(source: str) -> Iterator[tuple[int, str]]:
    for token in tokenize.generate_tokens(StringIO(source).readline):
        if token.type in (tokenize.COMMENT, tokenize.STRING):
            yield token.start[0], token.string


def defined_names(tree: ast.Module) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno


def test_names_use_the_words_of_the_glossary():
    wrong = [
        f"{path}:{line} {name}: {word} is {REPLACED[word]}"
        for path, tree in trees()
        for name, line in defined_names(tree)
        for word in map(str.lower, WORD.findall(name))
        if word in REPLACED and not name.startswith("test_")
    ]
    assert not wrong, "\n".join(wrong)


def test_docstrings_begin_with_a_verb_or_a_noun():
    documented = (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    wrong = [
        f"{path}:{getattr(node, 'lineno', 1)} {docstring.splitlines()[0]}"
        for path, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, documented) and RELATIVE_CLAUSE.match(docstring := ast.get_docstring(node) or "")
    ]
    assert not wrong, "\n".join(wrong)


def test_comments_and_texts_use_the_words_of_the_glossary():
    wrong = [
        f"{path}:{line} {found[0]}"
        for path, source in sources()
        # Few files have such a phrase at all; taking one apart is slow.
        if PRIVATE_PHRASE.search(source)
        for line, text in comments_and_texts(source)
        if (found := PRIVATE_PHRASE.search(text))
    ]
    assert not wrong, "\n".join(wrong)
