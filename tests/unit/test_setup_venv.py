"""Decisions and messages of the set-up; no package is installed here."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from trackerproject.dev import setup_venv
from trackerproject.dev.setup_venv import (
    BENCHMARKS,
    DEVELOPMENT,
    RUNTIME,
    SetupError,
    check_free_space,
    check_python,
    clean_environment,
    describe_os_error,
    explain_pip,
    fingerprint,
    is_current,
)


@pytest.fixture
def project(tmp_path) -> Path:
    """A clone with requirement files and a finished `.venv`."""
    for name in (*RUNTIME, *DEVELOPMENT, *BENCHMARKS, "constraints.txt"):
        (tmp_path / name).write_text(f"# {name}\n")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").touch()
    return tmp_path


def finish(project: Path, kind: str, files: tuple[str, ...]) -> None:
    (project / ".venv" / f".installed-{kind}").write_text(fingerprint(project, files))


def test_it_is_current_only_after_a_finished_installation(project):
    assert not is_current(project, RUNTIME)
    finish(project, "runtime", RUNTIME)
    assert is_current(project, RUNTIME)
    (project / ".venv" / ".installing").touch()
    assert not is_current(project, RUNTIME)


@pytest.mark.parametrize("changed", [*RUNTIME, "constraints.txt"])
def test_it_is_out_of_date_when_a_requirement_file_changes(project, changed):
    finish(project, "runtime", RUNTIME)
    (project / changed).write_text("something==2\n")
    assert not is_current(project, RUNTIME)


def test_it_is_out_of_date_when_the_python_changes(project, monkeypatch):
    finish(project, "runtime", RUNTIME)
    monkeypatch.setattr(setup_venv.sys, "version", "3.99.0")
    assert not is_current(project, RUNTIME)


def test_it_is_out_of_date_in_a_clone_that_was_moved(project, tmp_path_factory):
    finish(project, "runtime", RUNTIME)
    moved = tmp_path_factory.mktemp("elsewhere") / "clone"
    project.rename(moved)
    assert not is_current(moved, RUNTIME)


def test_it_takes_the_development_installation_for_the_runtime_one_but_not_the_reverse(project):
    finish(project, "runtime", RUNTIME)
    assert not is_current(project, RUNTIME + DEVELOPMENT)
    finish(project, "dev", RUNTIME + DEVELOPMENT)
    assert is_current(project, RUNTIME + DEVELOPMENT)
    assert is_current(project, RUNTIME)


def test_it_does_not_take_the_benchmarks_installation_for_the_development_one_nor_the_reverse(project):
    finish(project, "bench", RUNTIME + BENCHMARKS)
    assert is_current(project, RUNTIME + BENCHMARKS)
    assert is_current(project, RUNTIME)
    assert not is_current(project, RUNTIME + DEVELOPMENT)
    (project / ".venv" / ".installed-bench").unlink()
    finish(project, "dev", RUNTIME + DEVELOPMENT)
    assert not is_current(project, RUNTIME + BENCHMARKS)


@pytest.mark.parametrize(
    ("output", "says"),
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "disk is full"),
        ("WARNING: Retrying ... NewConnectionError('Failed to establish a new connection')", "cannot be reached"),
        ("Temporary failure in name resolution\nERROR: No matching distribution found for Django", "cannot be reached"),
    ],
)
def test_it_explains_the_end_of_pip_in_one_sentence(output, says):
    assert says in explain_pip(output)
    assert "\n" not in explain_pip(output)


def test_it_leaves_an_unknown_failure_of_pip_to_its_own_output():
    assert explain_pip("ERROR: Could not find a version that satisfies the requirement Django==99") == ""


@pytest.mark.parametrize(
    ("number", "says"),
    [(errno.ENOSPC, "disk is full"), (errno.EACCES, "may not be written"), (errno.EISDIR, "Is a directory")],
)
def test_it_explains_an_operating_system_error(number, says):
    assert says in describe_os_error(OSError(number, os.strerror(number), "/some/file"))


def test_it_names_the_space_that_is_missing(tmp_path, monkeypatch):
    monkeypatch.setattr(setup_venv.shutil, "disk_usage", lambda _path: type("Usage", (), {"free": 812 * 10**6}))
    check_free_space(tmp_path, 812 * 10**6)
    with pytest.raises(SetupError, match="812 MB free, 1500 MB needed"):
        check_free_space(tmp_path, 1500 * 10**6)


@pytest.mark.parametrize("missing", ["venv", "ensurepip"])
def test_it_says_which_package_to_install_for_a_python_without_venv(missing, monkeypatch):
    find = setup_venv.importlib.util.find_spec
    monkeypatch.setattr(setup_venv.importlib.util, "find_spec", lambda name: None if name == missing else find(name))
    with pytest.raises(SetupError, match=r"apt install python3\.\d+-venv"):
        check_python()


def test_it_keeps_the_index_settings_but_not_what_installs_elsewhere():
    given = {
        "PIP_INDEX_URL": "https://mirror",
        "HTTPS_PROXY": "p",
        "PIP_TARGET": "/x",
        "PYTHONPATH": "/y",
        "PIP_USER": "1",
    }
    assert clean_environment(given) == {
        "PIP_INDEX_URL": "https://mirror",
        "HTTPS_PROXY": "p",
        "PIP_USER": "0",
        "PYTHONNOUSERSITE": "1",
    }


def test_it_ends_with_one_line_instead_of_a_traceback(monkeypatch, capsys):
    def fail(*_args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/full/.local")

    monkeypatch.setattr(setup_venv, "install", fail)
    assert setup_venv.main([]) == 1
    assert capsys.readouterr().err == "Set-up failed: the disk is full (/full/.local).\n"
