"""Rules of the repository that a reader can rely on, checked by machine."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from django.apps import apps
from django.db import models

from tasks_app.ingest.trackers.registry import PROTOCOLS

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("trackerproject", "tasks_app", "notifications_app", "reports_app")
REQUIRED = ("SECRET_KEY", "ALLOWED_HOSTS", "DATABASE_URL", "REDIS_URL")
PRODUCTION = {
    "SECRET_KEY": "0123456789abcdefghij" * 3,
    "ALLOWED_HOSTS": "tracker.example.org",
    "DATABASE_URL": "postgres://u:p@localhost/t",
    "REDIS_URL": "redis://localhost:6379/0",
}


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    bare = {key: value for key, value in os.environ.items() if key in ("PATH", "HOME", "LANG")}
    return subprocess.run(
        command, cwd=ROOT, env={**bare, **environment}, capture_output=True, text=True, timeout=120, check=False
    )


def test_dependencies_point_in_one_direction():
    lint_imports = Path(sys.executable).with_name("lint-imports")
    done = run(str(lint_imports), "--no-cache", DEBUG="1")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", REQUIRED)
def test_production_refuses_to_start_without_a_required_setting(name):
    environment = {key: value for key, value in PRODUCTION.items() if key != name}
    done = run(sys.executable, "manage.py", "check", **environment)
    sentence = f"{name} must be set in the environment (or set DEBUG=1 for development).\n"
    assert (done.returncode, done.stderr) == (1, sentence)


def test_production_settings_pass_the_deployment_check():
    done = run(
        sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING", **PRODUCTION, HASHED_STATIC="0"
    )
    assert done.returncode == 0, done.stderr


def test_no_time_of_a_model_has_a_fixed_default():
    """Django's deployment check fails at the times of day that are near one."""
    fields = [field for model in apps.get_models() for field in model._meta.fields]
    times = [one for one in fields if isinstance(one, models.DateField | models.TimeField) and one.has_default()]
    assert times
    assert [str(one) for one in times if one.default is not None and not callable(one.default)] == []


def test_a_cluster_loads_neither_pages_nor_what_few_jobs_need():
    heavy = (
        "tasks_app.admin",
        "rest_framework.views",
        "openpyxl",
        "xlsxwriter",
        "reportlab",
        "PIL",
        "cryptography.fernet",
        "nh3",
        "rich",
        "prometheus_client",
    )
    program = (
        "import sys, django; django.setup(); from tasks_app.management.commands import qcluster\n"
        "from tasks_app.engine.clusters.cluster import load_ahead; load_ahead()\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = run(sys.executable, "-c", program, DJANGO_SETTINGS_MODULE="trackerproject.settings", **PRODUCTION)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_a_web_process_loads_no_option_that_it_does_not_use():
    heavy = ("openpyxl", "xlsxwriter", "reportlab", "PIL", "rich", "requests", "markdown", "pygments", "jinja2")
    program = f"import sys, trackerproject.asgi; print([name for name in {heavy!r} if name in sys.modules])"
    done = run(sys.executable, "-c", program, **PRODUCTION)
    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr


SETTINGS_READ = """
import environ, json
from trackerproject.environment import Environment
class Example(Environment):
    ENVIRON = EXAMPLE
def noted(env, name, cast=None, default=environ.Env.NOTSET, parse_default=False):
    variables[name] = [repr(default), repr(read(Example(), name, cast=cast, default=None))]
    return read(env, name, cast=cast, default=default, parse_default=parse_default)
variables, read, Environment.get_value = {}, Environment.get_value, noted
from trackerproject import settings
print(json.dumps(variables))
"""
# Their defaults follow from the machine or from other variables.
SHOWN_BY_AN_EXAMPLE = {"SITE_URL", "ENCRYPTION_KEYS", "STATIC_ROOT", "MEDIA_ROOT", "POSITIONS_WORKERS", *REQUIRED}


def env_example() -> dict[str, list[str]]:
    """Variable -> its words as a shell reads them, which also loads this file."""
    text = (ROOT / ".env.example").read_text()
    return {
        name: shlex.split(value) for name, value in re.findall(r"^(?:# )?([A-Z][A-Z0-9_]*)=(.*)$", text, re.MULTILINE)
    }


def test_env_example_lists_every_variable_the_settings_read_with_its_default():
    assert {name: words for name, words in env_example().items() if len(words) > 1} == {}
    example = {name: "".join(words) for name, words in env_example().items()}
    done = run(sys.executable, "-c", f"EXAMPLE = {example!r}{SETTINGS_READ}", **PRODUCTION)
    assert done.returncode == 0, done.stderr
    read = {name: tuple(values) for name, values in json.loads(done.stdout).items()}
    assert read.keys() - example.keys() == {"TEST_DB_SUFFIX"}
    with_default = {name for name, (default, _shown) in read.items() if default not in ("''", "[]", "{}")}
    checked = (with_default - SHOWN_BY_AN_EXAMPLE) & example.keys()
    assert {name: read[name] for name in checked if read[name][0] != read[name][1]} == {}
    ports = {f"GATEWAY_{name.upper()}_PORT": str(one.port) for name, one in PROTOCOLS.items()}
    assert {name: example[name] for name in example.keys() - read.keys()} == ports


def python_files() -> list[Path]:
    return [path for package in PACKAGES for path in (ROOT / package).rglob("*.py") if "migrations" not in path.parts]


def test_nothing_pickles_or_evaluates():
    for path in python_files():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
                assert not {"pickle", "shelve", "marshal"} & set(names), path
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in ("eval", "exec"), path


def test_each_copy_raises_the_errors_of_django():
    """The driver's own are no trouble of the database to a worker: it would take them for the job's."""
    users = [path for path in python_files() if "cursor.copy_expert" in path.read_text()]
    assert users == [ROOT / "tasks_app/utils/copying.py"]


def test_no_file_is_longer_than_400_lines():
    assert [path for path in python_files() if len(path.read_text().splitlines()) > 400] == []


def test_the_page_of_queue_keys_is_the_text_of_its_source():
    source = ast.get_docstring(ast.parse((ROOT / "tasks_app" / "engine" / "keys.py").read_text()))
    assert source in (ROOT / "docs" / "reference" / "queue-keys.md").read_text()


def test_rules_of_a_kind_are_never_a_default():
    """A forgotten argument would be the rules of a car, silently."""
    found = []
    for path in python_files():
        tree = ast.parse(path.read_text())
        found += [f"{path.name}:{node.lineno} imports them" for node in ast.walk(tree) if _imports_default_rules(node)]
        found += [f"{path.name}:{default.lineno}" for default in _defaults_of_rules(tree)]
    assert found == []


def test_pictures_of_the_docs_are_small_and_each_is_shown():
    shown = "".join(page.read_text() for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
    pictures = sorted((ROOT / "docs" / "screenshots").glob("*"))
    assert len(pictures) == 10
    for picture in pictures:
        assert picture.stat().st_size <= 150_000
        assert f"screenshots/{picture.name})" in shown
    named = set(re.findall(r"screenshots/([a-z-]+\.png)", shown))
    assert named == {picture.name for picture in pictures}


def test_each_page_of_the_docs_is_found_from_the_readme():
    readme = (ROOT / "README.md").read_text()
    pages = [*(ROOT / "docs").glob("*.md"), ROOT / "benchmarks" / "README.md", ROOT / "CONTRIBUTING.md"]
    names = [str(page.relative_to(ROOT)) for page in pages]
    assert [name for name in names if f"({name})" not in readme] == []


def _imports_default_rules(node: ast.AST) -> bool:
    names = [alias.name for alias in node.names] if isinstance(node, ast.ImportFrom) else []
    return getattr(node, "module", None) == "tasks_app.geo.motion_rules" and not set(names) <= {
        "MotionRules",
        "motion_rules",
        "RULES_BY_KIND",
    }


def _defaults_of_rules(tree: ast.AST) -> list[ast.expr]:
    """Defaults of what is named or annotated as rules, or as a kind of device, in functions and dataclasses."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            takes = node.args
            positional = [*takes.posonlyargs, *takes.args]
            pairs = [*zip(reversed(positional), reversed(takes.defaults), strict=False)]
            pairs += zip(takes.kwonlyargs, takes.kw_defaults, strict=True)
            found += [value for one, value in pairs if value is not None and _means_rules(one.arg, one.annotation)]
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            found += [node.value] if "MotionRules" in ast.unparse(node.annotation) else []
    return found


def _means_rules(name: str, annotation: ast.expr | None) -> bool:
    text = "" if annotation is None else ast.unparse(annotation)
    return "MotionRules" in text or "KindRules" in text or (name in ("rules", "motion") and "Rule" in text)
