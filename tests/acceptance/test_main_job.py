"""The main job from end to end, as `make demo` runs it: HTTP, queues, clusters, e-mail, reports, all real."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import openpyxl
import psutil
import pytest

from tests.support.cluster import allowed

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def demo() -> subprocess.CompletedProcess[str]:
    """A demo of two vehicles, with servers of its own."""
    own = ("DATABASE_URL", "REDIS_URL", "QUEUE_PREFIX", "CACHE_KEY_PREFIX", "EMAIL_HOST", "EMAIL_PORT", "MEDIA_ROOT")
    environment = {key: value for key, value in os.environ.items() if key not in own} | {"DEBUG": "1"}
    command = [sys.executable, "manage.py", "demo", "--vehicles", "2", "--name", "demo-test"]
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=allowed(240), check=False
    )


def figure(demo: subprocess.CompletedProcess[str], label: str) -> int:
    """The number the demo printed behind `label`."""
    line = next(line for line in demo.stdout.splitlines() if label in line)
    return int(line.strip("│ \n").split("│")[-1].strip().replace(",", ""))


def files(demo: subprocess.CompletedProcess[str]) -> dict[str, Path]:
    paths = [Path(line.strip()) for line in demo.stdout.splitlines() if line.strip().startswith(str(ROOT))]
    return {path.suffix: path for path in paths if path.name.startswith("fleet-day")}


def test_it_ends_well_and_leaves_no_process(demo):
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert "Everything is stopped." in demo.stdout
    commands = [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
    # Another clone on this machine may run the same test.
    assert [command for command in commands if "demo-test" in command and str(ROOT) in command] == []


def test_every_distinct_fix_is_stored_once(demo):
    sent, stored = figure(demo, "Fixes sent through HTTP"), figure(demo, "Positions stored")
    duplicates = figure(demo, "Duplicate fixes")
    assert figure(demo, "Vehicles") == 2
    assert sent - duplicates == stored
    assert stored > 5000
    assert duplicates > 50


def test_something_happened_and_the_right_person_got_a_mail(demo):
    assert figure(demo, "Geofence entered") > 0
    assert figure(demo, "Geofence left") > 0
    assert figure(demo, "E-mails sent") == figure(demo, "E-mails received") > 0
    assert "Jobs: Failed" not in demo.stdout


def test_the_fleets_day_is_the_same_in_every_format(demo):
    paths = files(demo)
    content = json.loads(paths[".json"].read_text())
    text = paths[".csv"].read_text(encoding="utf-8-sig")
    workbook = openpyxl.load_workbook(paths[".xlsx"])
    for name in ("Van 01", "Van 02"):
        assert name in json.dumps(content, ensure_ascii=False)
        assert any(name in row for row in csv.reader(text.splitlines()))
        assert any(name in row for sheet in workbook for row in sheet.iter_rows(values_only=True))
