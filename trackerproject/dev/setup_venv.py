"""Create or renew `.venv` of this clone: `python3 trackerproject/dev/setup_venv.py [--dev | --bench] [clean]`.

Standard library only. Does nothing when the requirement files and the Python are those of the last time. One line
says what went wrong, if anything did; pip's own output is in `.local/log/pip.log`.
"""

import argparse
import ctypes
import errno
import fcntl
import hashlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

if sys.version_info < (3, 11):  # noqa: UP036  (an older Python may well start this)
    found = ".".join(str(number) for number in sys.version_info[:2])
    sys.exit(f"Python 3.11 or newer is needed, {sys.executable} is {found}. Choose another one with PYTHON=...")

PROJECT_DIR = Path(os.path.realpath(__file__)).parents[2]
RUNTIME = ("requirements.txt", "requirements-embedded.txt")
DEVELOPMENT = ("requirements-s3.txt", "requirements-otel.txt", "requirements-dev.txt")
BENCHMARKS = ("requirements-bench.txt",)
# Requirement files by name of the group. Each group is complete; several may be installed in one `.venv`.
GROUPS = {"runtime": RUNTIME, "dev": RUNTIME + DEVELOPMENT, "bench": RUNTIME + BENCHMARKS}
FREE_BYTES_NEEDED = 1500 * 1000 * 1000
FREE_BYTES_NEEDED_TEMPORARY = 300 * 1000 * 1000
GENERATED = (".venv", ".local", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".import_linter_cache", ".hypothesis")
GENERATED_OUTPUT = ("demo-output", "staticfiles")
UNREACHABLE_SIGNS = (
    "Failed to establish a new connection",
    "NewConnectionError",
    "Temporary failure in name resolution",
    "Name or service not known",
    "Connection refused",
    "ConnectTimeoutError",
    "ReadTimeoutError",
    "ProxyError",
    "SSLError",
    "Connection broken",
    "Network is unreachable",
)


class SetupError(Exception):
    """There is no usable .venv. The message is for the user."""


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Create or renew .venv of this clone.")
    parser.add_argument("action", nargs="?", choices=["install", "clean"], default="install")
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--dev", action="store_true", help="also what the tests and checks need")
    group.add_argument("--bench", action="store_true", help="also the systems that ours is measured against")
    options = parser.parse_args(arguments)
    _end_with_make()
    try:
        if options.action == "clean":
            clean(PROJECT_DIR)
        else:
            install(PROJECT_DIR, GROUPS["dev" if options.dev else "bench" if options.bench else "runtime"])
    except SetupError as error:
        print(f"Set-up failed: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"Set-up failed: {describe_os_error(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Set-up interrupted; run it again to go on.", file=sys.stderr)
        return 130
    return 0


def install(project_dir: Path, requirement_files: tuple[str, ...]) -> None:
    """Bring `.venv` up to date. Several at once wait for each other. Raises SetupError or OSError."""
    (project_dir / ".local").mkdir(exist_ok=True)
    with (project_dir / ".local" / "setup.lock").open("a") as lock:
        _wait_for(lock.fileno())
        if not is_current(project_dir, requirement_files):
            _install_locked(project_dir, requirement_files)


def is_current(project_dir: Path, requirement_files: tuple[str, ...]) -> bool:
    """Return whether `.venv` was made by this Python, in this place, from at least these files."""
    if not (project_dir / ".venv" / "bin" / "python").exists() or (project_dir / ".venv" / ".installing").exists():
        return False
    return any(
        _stamp(project_dir, files).exists()
        and _stamp(project_dir, files).read_text() == fingerprint(project_dir, files)
        for files in GROUPS.values()
        if set(requirement_files) <= set(files)
    )


def fingerprint(project_dir: Path, requirement_files: tuple[str, ...]) -> str:
    """Changes with the content of the files, the Python, and the place (scripts in .venv/bin carry its path)."""
    digest = hashlib.sha256(f"{sys.version}\0{project_dir}".encode("utf-8", "surrogateescape"))
    for name in (*requirement_files, "constraints.txt"):
        digest.update(b"\0" + name.encode() + b"\0" + (project_dir / name).read_bytes())
    return digest.hexdigest()


def _stamp(project_dir: Path, requirement_files: tuple[str, ...]) -> Path:
    name = next(name for name, files in GROUPS.items() if files == requirement_files)
    return project_dir / ".venv" / f".installed-{name}"


def _install_locked(project_dir: Path, requirement_files: tuple[str, ...]) -> None:
    check_python()
    check_free_space(project_dir, FREE_BYTES_NEEDED)
    check_free_space(Path(tempfile.gettempdir()), FREE_BYTES_NEEDED_TEMPORARY)
    print("Setting up .venv (about a minute the first time) ...", flush=True)
    began = time.monotonic()
    log = project_dir / ".local" / "log" / "pip.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_bytes(b"")
    unfinished = project_dir / ".venv" / ".installing"
    if unfinished.exists() or not _is_ours(project_dir):
        _create(project_dir, log)
    unfinished.touch()
    arguments = [argument for name in requirement_files for argument in ("-r", name)]
    _run(_pip(project_dir) + arguments, project_dir, log, explain_pip)
    unfinished.unlink()
    _stamp(project_dir, requirement_files).write_text(fingerprint(project_dir, requirement_files))
    print(f"Set up .venv in {time.monotonic() - began:.0f} s.", flush=True)


def _is_ours(project_dir: Path) -> bool:
    """Return whether `.venv` is complete, of this Python and of this place; else it is recreated."""
    place = project_dir / ".venv" / ".made-for"
    return place.exists() and place.read_text(errors="surrogateescape") == _made_for(project_dir)


def _made_for(project_dir: Path) -> str:
    return f"{sys.version}\n{project_dir}"


def _create(project_dir: Path, log: Path) -> None:
    _run([sys.executable, "-m", "venv", "--clear", ".venv"], project_dir, log, explain_venv)
    (project_dir / ".venv" / ".made-for").write_text(_made_for(project_dir), errors="surrogateescape")


def _pip(project_dir: Path) -> list[str]:
    """Through the interpreter: a `pip` script cannot be started from a path with spaces or more than 127 characters."""
    python = str(project_dir / ".venv" / "bin" / "python")
    return [python, "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--progress-bar", "off"]


def check_python() -> None:
    """Raises SetupError when this Python cannot make virtual environments (Debian packages that separately)."""
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        raise SetupError(without_venv())


def without_venv() -> str:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return (
        f"Python {version} ({sys.executable}) comes without venv and ensurepip. "
        f"On Debian and Ubuntu: apt install python{version}-venv. Or choose another Python with PYTHON=..."
    )


def check_free_space(directory: Path, needed_bytes: int) -> None:
    """Raises SetupError when the disk of `directory` has less than `needed_bytes` left."""
    free = shutil.disk_usage(directory).free
    if free < needed_bytes:
        raise SetupError(
            f"not enough disk space in {directory}: {free // 10**6} MB free, {needed_bytes // 10**6} MB needed."
        )


def describe_os_error(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk is full ({error.filename or 'while writing'})."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{error.filename} may not be written; was it made by another user? ({error.strerror})"
    return f"{error.strerror or error}: {error.filename or ''}"


def explain_pip(output: str) -> str:
    """Return one sentence for the cause that pip's output shows, "" if it is unknown."""
    if "No space left on device" in output or "Disk quota exceeded" in output:
        return "the disk is full."
    if any(sign in output for sign in UNREACHABLE_SIGNS):
        return "the package index cannot be reached (see PIP_INDEX_URL, PIP_PROXY, or the network)."
    return ""


def explain_venv(output: str) -> str:
    """Return one sentence for the cause that the output of `python -m venv` shows, "" if it is unknown."""
    if "No space left on device" in output:
        return "the disk is full."
    return without_venv() if "ensurepip is not" in output else ""


def _run(command: list[str], project_dir: Path, log: Path, explain: Callable[[str], str]) -> None:
    """Run quietly; on failure raise SetupError: one sentence if the cause is clear, else the end of the output."""
    with log.open("ab") as output:
        done = subprocess.run(  # noqa: S603
            command,
            cwd=project_dir,
            env=clean_environment(os.environ),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
            preexec_fn=_end_with_parent,
        )
    if done.returncode == 0:
        return
    text = log.read_text(errors="replace")
    where = log.relative_to(project_dir)
    if sentence := explain(text):
        raise SetupError(f"{sentence} (More in {where}.)")
    tail = "\n".join(f"    {line}" for line in text.strip().splitlines()[-12:])
    raise SetupError(f"`{' '.join(command[1:4])}` did not succeed. The end of {where}:\n{tail}")


def clean_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without variables that would install packages outside of `.venv`."""
    dropped = {"PYTHONPATH", "PYTHONHOME", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_REQUIREMENT", "PIP_CONSTRAINT"}
    kept = {key: value for key, value in environment.items() if key not in dropped}
    return {**kept, "PIP_USER": "0", "PYTHONNOUSERSITE": "1"}


def clean(project_dir: Path) -> None:
    """Remove what the set-up and the servers made. Raises SetupError while servers of this clone run."""
    for lock_path in sorted((project_dir / ".local").glob("*/lock")):
        with lock_path.open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise SetupError(f"the servers in {lock_path.parent} are running; stop them first.") from None
    for name in GENERATED + GENERATED_OUTPUT:
        if (project_dir / name).exists():
            shutil.rmtree(project_dir / name)
    for cache in project_dir.rglob("__pycache__"):
        shutil.rmtree(cache, ignore_errors=True)


def _wait_for(fd: int) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("Another set-up of this clone is running; waiting for it ...", flush=True)
        fcntl.flock(fd, fcntl.LOCK_EX)


def _end_with_parent() -> None:
    """Linux: end this process with the one that started it, so that a killed make leaves no pip behind (prctl(2))."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM, 0, 0, 0)  # 1 is PR_SET_PDEATHSIG


def _end_with_make() -> None:
    """The Makefile exports its process id; only then has this any meaning."""
    make_pid = int(os.environ.get("TRACKER_MAKE_PID") or 0)
    if make_pid and os.getppid() == make_pid:
        _end_with_parent()
        if os.getppid() != make_pid:
            sys.exit(1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
