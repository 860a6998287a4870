"""No app names what belongs to an app above it, in a string as little as in an import."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.urls import URLPattern, get_resolver

from tasks_app.engine import registered_tasks

ROOT = Path(__file__).resolve().parents[2]
APPS = ("tasks_app", "notifications_app", "reports_app", "trackerproject")
SHARED_NAMES = frozenset({"schema", "docs"})


def url_names(patterns: Any) -> Iterator[tuple[str, str]]:
    """The app of each view, and the name of its URL."""
    for pattern in patterns:
        if isinstance(pattern, URLPattern):
            view = getattr(pattern.callback, "cls", None) or getattr(pattern.callback, "view_class", pattern.callback)
            app = (getattr(view, "__module__", None) or "").partition(".")[0]
            # One-word names ("rules", "delivery") are words of every app.
            if app in APPS and pattern.name and re.search("[-_]", pattern.name):
                yield app, pattern.name
        else:
            yield from url_names(pattern.url_patterns)


def names_of(apps: tuple[str, ...]) -> re.Pattern[str]:
    """Modules and labels, tasks, and URL names of these apps, as whole words."""
    names = set(apps)
    names |= {task.name for task in registered_tasks() if task.function.__module__.partition(".")[0] in apps}
    names |= {name for app, name in url_names(get_resolver().url_patterns) if app in apps} - SHARED_NAMES
    words = "|".join(sorted(map(re.escape, names), key=len, reverse=True))
    return re.compile(rf"(?<![\w-])(?:{words})(?![\w-])")


def strings_of(path: Path) -> Iterator[tuple[int, str]]:
    """The strings of a module but its docstrings, with their lines; of any other file every line."""
    if path.suffix != ".py":
        yield from enumerate(path.read_text().splitlines(), 1)
        return
    tree = ast.parse(path.read_text())
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.lineno, node.value


def files_of(app: str) -> list[Path]:
    folders = [ROOT / app, ROOT / "templates" / app]
    found = [path for folder in folders for path in folder.rglob("*") if path.suffix in (".py", ".html", ".js", ".lua")]
    return [path for path in found if "migrations" not in path.parts]


@pytest.mark.parametrize("app", APPS[:-1])
def test_no_string_names_an_app_above(app):
    pattern = names_of(APPS[APPS.index(app) + 1 :])
    found = [
        f"{path.relative_to(ROOT)}:{line} {match[0]}"
        for path in files_of(app)
        for line, text in strings_of(path)
        if (match := pattern.search(text))
    ]
    assert found == []
