"""The name of the database that test databases are copied from: another one for whatever may make another database."""

from __future__ import annotations

from pathlib import Path

import pytest

from trackerproject.dev.test_databases import PACKAGES, template_name, url_of


@pytest.fixture
def code_dir(tmp_path) -> Path:
    """A clone with a migration in each package."""
    for package in PACKAGES:
        (tmp_path / package / "migrations").mkdir(parents=True)
        (tmp_path / package / "migrations" / "0001_initial.py").write_text("operations = []\n")
    for name in ("requirements.txt", "requirements-dev.txt", "constraints.txt"):
        (tmp_path / name).write_text("Django==5.2\n")
    (tmp_path / "tests").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    "changed",
    [
        *(f"{package}/migrations/0001_initial.py" for package in PACKAGES),
        "tasks_app/migrations/0002_more.py",
        "trackerproject/staff_groups.py",
        "requirements-dev.txt",
        "constraints.txt",
    ],
)
def test_it_is_another_one_where_a_file_differs(code_dir, changed):
    before = template_name(code_dir)
    (code_dir / changed).write_text("operations = [1]\n")
    assert template_name(code_dir) != before


def test_it_is_another_one_where_a_migration_was_renamed(code_dir):
    before = template_name(code_dir)
    migration = code_dir / "reports_app" / "migrations" / "0001_initial.py"
    migration.rename(migration.with_name("0001_first.py"))
    assert template_name(code_dir) != before


def test_it_stays_where_nothing_changed_but_tests_and_texts(code_dir):
    before = template_name(code_dir)
    (code_dir / "tests" / "test_it.py").write_text("")
    (code_dir / "tasks_app" / "page.html").write_text("")
    assert template_name(code_dir) == before


def test_other_databases_of_a_server_have_its_socket():
    url = "postgres://postgres@/tracker?host=/tmp/tracker-0-1&port=5432"
    assert url_of(url, "other") == "postgres://postgres@/other?host=/tmp/tracker-0-1&port=5432"
