"""A pytest plugin, loaded before all others: servers and order of the tests of one of several processes.

pytest-xdist runs the suite in several processes. Each has a PostgreSQL, a Valkey and an SMTP server to itself, so that a
test may stop, freeze or fill one of them while the others run on. `trackerproject.dev.run_tests` starts them and says in
TEST_SERVERS, as JSON, what each process (gw0, gw1, ...) needs in its environment.

A process that is free takes the next file. Tests of real clusters and browsers mostly wait, the others mostly compute:
`mixed` lets both run at the same time until the end.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import PurePath

import pytest

if worker := os.environ.get("PYTEST_XDIST_WORKER"):
    os.environ |= json.loads(os.environ["TEST_SERVERS"])[worker]

WAITING = {"acceptance", "browser"}
# Files that wait are begun within this part of the others, so that no long one is left for the end.
BEGUN_WITHIN = 0.75


def mixed(files: Iterable[PurePath]) -> list[PurePath]:
    """Return the files with those that wait spread among those of tests/integration, and the short ones of tests/unit last."""
    kinds: dict[str, list[PurePath]] = {"waiting": [], "computing": [], "short": []}
    for file in dict.fromkeys(files):
        kinds["waiting" if WAITING & {*file.parts} else "short" if "unit" in file.parts else "computing"].append(file)
    waiting = _spread(sorted(kinds["waiting"], key=lambda file: file.name), BEGUN_WITHIN)
    together = sorted([*waiting, *_spread(kinds["computing"], 1.0)], key=lambda placed: placed[0])
    return [*(file for _, file in together), *kinds["short"]]


def _spread(files: list[PurePath], until: float) -> list[tuple[float, PurePath]]:
    """Return a place for each file, at equal distances from 0 to `until`."""
    return [(until * number / len(files), file) for number, file in enumerate(files)]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Bring the files into their order, which pytest-xdist keeps; tests of one file stay in theirs."""
    places = {file: number for number, file in enumerate(mixed(item.path for item in items))}
    items.sort(key=lambda item: places[item.path])
