"""Figures of a benchmark: one per line, ours beside theirs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import groupby
from operator import attrgetter

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured quantity. `peer` and `theirs` are None where there is nothing to compare with."""

    bench: str
    case: str
    ours: float
    peer: str | None
    theirs: float | None
    unit: str

    @property
    def ratio(self) -> float | None:
        """Ours divided by theirs: above 1 is better for rates, worse for times and memory."""
        return self.ours / self.theirs if self.theirs else None

    def as_json(self) -> str:
        values = asdict(self) | {"ratio": self.ratio}
        order = ("bench", "case", "ours", "peer", "theirs", "ratio", "unit")
        return json.dumps({key: _rounded(values[key]) for key in order})


def print_table(console: Console, figures: Iterable[Figure]) -> None:
    """Print the figures for people: a part for each benchmark, with the names of its cases whole; peers' may take two lines."""
    table = Table(
        title="Ours beside theirs, same servers, same run",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        collapse_padding=True,
    )
    table.add_column("case", no_wrap=True, overflow="fold")
    for name in ("ours", "theirs", "ratio"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("unit, theirs", overflow="fold", min_width=11)
    for bench, of_bench in groupby(figures, key=attrgetter("bench")):
        table.add_section()
        table.add_row(Text(bench, style="bold"))
        for figure in of_bench:
            ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}"
            numbers = (_shown(figure.ours), _shown(figure.theirs), ratio)
            table.add_row(f" {figure.case}", *numbers, ", ".join(filter(None, [figure.unit, figure.peer])))
    console.print(table)


def _rounded(value: object) -> object:
    return float(f"{value:.4g}") if isinstance(value, float) else value


def _shown(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
