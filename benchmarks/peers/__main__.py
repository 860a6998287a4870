"""`python -m benchmarks.peers NAME ...`: imports the peer under its own name, as its workers do, and measures it."""

from __future__ import annotations

import sys
from importlib import import_module

from benchmarks.peers.protocol import serve

name, *arguments = sys.argv[1:]
serve(import_module(f"benchmarks.peers.{name.replace('-', '_')}").PEER, arguments)
