"""The setting of every benchmark: the servers of this run, how large to measure, and a place for logs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

ROOT = Path(__file__).resolve().parent.parent
QUEUE_PREFIX = "bench"


@dataclass(frozen=True, slots=True)
class Setting:
    """One run. With `quick` everything is small: for trying the benchmarks out, not for figures to quote."""

    database_url: str
    redis_url: str
    log_dir: Path
    console: Console
    quick: bool

    @property
    def rounds(self) -> int:
        return 1 if self.quick else 3

    def scaled(self, jobs: int) -> int:
        """How many of what takes a full run `jobs`."""
        return max(100, jobs // 12) if self.quick else jobs

    def redis_url_of(self, database: int) -> str:
        """The same server, another of its numbered databases: peers never see each other's keys."""
        return f"{self.redis_url.partition('?')[0]}?db={database}"

    def environment(self, redis_database: int = 0) -> dict[str, str]:
        """Return the environment variables of a process of this run."""
        return {
            **os.environ,
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self.redis_url_of(redis_database),
            "BENCH_LOG_DIR": str(self.log_dir),
        }

    def measure(
        self, module: str, *arguments: object, redis_database: int = 0, environment: dict[str, str] | None = None
    ) -> dict[str, float]:
        """Run a module of ours that measures in a process of its own; return the JSON object it prints last.

        Raises RuntimeError with the end of its output when it fails.
        """
        command = [sys.executable, "-m", module, *map(str, arguments)]
        with (self.log_dir / "measuring.log").open("ab") as log:
            variables = self.environment(redis_database) | (environment or {})
            done = subprocess.run(command, cwd=ROOT, env=variables, stdout=subprocess.PIPE, stderr=log, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command[2:])} failed, see {self.log_dir}")
        answer: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        return answer


def prepare_environment(database_url: str, redis_url: str) -> None:
    """The environment in which this process, and each it starts, is one installation of the product on these servers."""
    os.environ |= {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "DEBUG": "0",
        "INSECURE_HTTP": "1",
        "SECRET_KEY": "benchmarks-only-0123456789-0123456789-0123456789-0123",
        "ALLOWED_HOSTS": "127.0.0.1",
        "DJANGO_SETTINGS_MODULE": "trackerproject.settings",
        "QUEUE_PREFIX": QUEUE_PREFIX,
        "CACHE_KEY_PREFIX": f"{QUEUE_PREFIX}-cache",
        "EXTRA_APPS": "benchmarks.noop_tasks",
        "LOG_LEVEL": "WARNING",
        "LOG_JSON": "0",
    }
