"""`python -m benchmarks [NAME ...] [--quick]`: local servers of their own, a table for people, JSON lines for machines.

NAME may also come from the environment, as `make bench NAME=engine` hands it over.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

from rich.console import Console

from benchmarks.figures import Figure, print_table
from benchmarks.registry import BENCHMARKS
from benchmarks.setting import ROOT, Setting, prepare_environment
from trackerproject.dev.embedded import EmbeddedServers, LocalServersError, embedded_servers, end_with_make


def main() -> int:
    options = parse_arguments()
    os.chdir(ROOT)
    end_with_make()
    console = Console(stderr=True)
    try:
        with embedded_servers("bench") as servers:
            figures = measure(servers, console, options)
    except (LocalServersError, RuntimeError, subprocess.CalledProcessError) as error:
        print(f"make bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print_table(Console(), figures)
    for figure in figures:
        print(figure.as_json())
    return 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure this product and its peers.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--quick", action="store_true", help="small: shows that everything runs, not how fast")
    options = parser.parse_args()
    options.names = options.names or os.environ.get("NAME", "").split() or list(BENCHMARKS)
    unknown = [name for name in options.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"no benchmark is named {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    return options


def measure(servers: EmbeddedServers, console: Console, options: argparse.Namespace) -> list[Figure]:
    prepare_environment(servers.database_url, servers.redis_url)
    command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    subprocess.run(command, cwd=ROOT, check=True)
    log_dir = servers.places.logs
    setting = Setting(servers.database_url, servers.redis_url, log_dir, console, options.quick)
    console.print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start")
    figures = [figure for name in options.names for figure in BENCHMARKS[name](setting)]
    console.print(f"load {os.getloadavg()[0]:.1f} at the end")
    return figures


if __name__ == "__main__":
    sys.exit(main())
