"""`make lint`: every check, all of them even if one fails, and a summary. Needs no server."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from trackerproject.dev.local_servers.children import CODE_DIR
from trackerproject.dev.local_servers.processes import end_with_make

PYTHON = sys.executable
BIN = str(Path(sys.executable).parent) + os.sep
IMPORT_LINTER = (
    "import sys; from importlinter.cli import lint_imports_command as run; sys.argv = ['lint-imports']; run()"
)


def production_environment() -> dict[str, str]:
    """Return the settings that production requires, with values that reach nothing."""
    return {
        "DEBUG": "0",
        "SECRET_KEY": secrets.token_urlsafe(64),
        "ALLOWED_HOSTS": "tracker.example.org",
        "DATABASE_URL": "postgres://nobody:none@127.0.0.1:1/none",
        "REDIS_URL": "redis://127.0.0.1:1/0",
        # None were collected here.
        "HASHED_STATIC": "0",
    }


@dataclass(frozen=True)
class Check:
    name: str
    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)

    def run(self) -> bool:
        """Print one line, and the whole output if it failed."""
        began = time.monotonic()
        done = subprocess.run(  # noqa: S603
            self.command,
            cwd=CODE_DIR,
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        passed = done.returncode == 0
        print(f"{'ok' if passed else 'FAILED':7s} {self.name} ({time.monotonic() - began:.1f} s)", flush=True)
        if not passed:
            print(done.stdout, flush=True)
        return passed


def checks() -> list[Check]:
    production = production_environment()
    # Without a database Django warns that it cannot compare the history; the files are what counts here.
    migrations = [PYTHON, "-W", "ignore::RuntimeWarning", "manage.py", "makemigrations", "--check", "--dry-run"]
    return [
        Check("format", [PYTHON, "-m", "ruff", "format", "--check", "."]),
        Check("style", [PYTHON, "-m", "ruff", "check", "."]),
        Check("types", [PYTHON, "-m", "mypy"], {"DEBUG": "1"}),
        Check("imports", [PYTHON, "-c", IMPORT_LINTER]),
        Check("image", [BIN + "hadolint", "deploy/Dockerfile"]),
        Check("yaml", [PYTHON, "-m", "yamllint", "-c", "deploy/.yamllint.yaml", "deploy", ".pre-commit-config.yaml"]),
        Check("migrations", migrations, production),
        Check("deployment", [PYTHON, "manage.py", "check", "--deploy", "--fail-level", "WARNING"], production),
    ]


def main() -> int:
    end_with_make()
    failed = [check.name for check in checks() if not check.run()]
    print(f"Failed: {', '.join(failed)}." if failed else "All checks passed.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
