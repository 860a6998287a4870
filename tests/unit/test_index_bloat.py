"""Which indexes are too large for their rows."""

from __future__ import annotations

import pytest

from tasks_app.services.cleanup.index_bloat import MAX_BLOAT, IndexFigures

PAGE = 8192


@pytest.mark.parametrize(
    ("pages", "rows", "row_bytes", "is_bloated"),
    [
        # 16 bytes of columns take 28 of a page that has 7 337 to give: 262 rows a page.
        (1000, 262_000, 16, False),
        (1000, 140_000, 16, False),
        (1000, 120_000, 16, True),
        (1000, 0, 16, True),
        (1000, 262_000, None, False),
        (1000, 10**9, 16, False),
        (0, 0, 16, False),
    ],
)
def test_it_tells_bloat_from_rows_and_widths(pages, rows, row_bytes, is_bloated):
    assert (IndexFigures("i", "t", pages * PAGE, rows, row_bytes).bloat > MAX_BLOAT) is is_bloated
