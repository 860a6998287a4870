"""The table of figures on a terminal of 80 columns."""

from __future__ import annotations

import io

from rich.console import Console

from benchmarks.figures import Figure, print_table

FIGURES = [
    Figure("engine", "noop_saved", 15_200.0, "celery", 1_400.0, "jobs/s"),
    Figure("engine", "memory_largest_process", 71.25, None, None, "MiB"),
    Figure(
        "scale",
        "load_process_position_batch_16_lanes_2",
        1_234_567.0,
        "COPY + ON CONFLICT",
        987_654.3,
        "positions/s",
    ),
    Figure("reports", "detailed_xlsx_1000000_without_maps", 0.0123, "openpyxl write-only", 0.55, "s"),
    Figure("reports", "detailed_memory_1000000", 143.0, "openpyxl write-only", 2_310.0, "MiB"),
]


def lines() -> list[str]:
    stream = io.StringIO()
    print_table(Console(file=stream, width=80), FIGURES)
    return stream.getvalue().splitlines()


def test_cases_are_named_whole_with_their_figures():
    text = lines()
    for figure in FIGURES:
        (line,) = [line for line in text if figure.case in line.split()]
        assert "…" not in line
        if figure.ratio is not None:
            assert f"{figure.ratio:.2f}" in line
    assert max(map(len, text)) <= 80


def test_units_and_peers_are_there_in_full_though_on_several_lines():
    """Their column is the last one, whose parts join into the whole."""
    text = lines()
    start = text[3].index("theirs", 60)
    letters = "".join(line[start:].replace(" ", "") for line in text)
    for figure in FIGURES:
        whole = ", ".join(filter(None, [figure.unit, figure.peer]))
        assert whole.replace(" ", "") in letters


def test_each_benchmark_has_its_part():
    text = [line.strip() for line in lines()]
    assert [line for line in text if line in ("engine", "scale", "reports")] == ["engine", "scale", "reports"]
