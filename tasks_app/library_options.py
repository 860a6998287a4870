"""Options of libraries that we do not use: other libraries which they import wherever they are installed.

A program with all of them takes 15 MB more, and none of it is ever asked for.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def absent(*libraries: str) -> Iterator[None]:
    """Let imports in this block find none of these libraries, but for one that is loaded already.

    Only for what the importing library does without. At start-up, while there is one thread.
    """
    hidden = [name for name in libraries if name not in sys.modules]
    # What the import system takes for "there is none".
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
