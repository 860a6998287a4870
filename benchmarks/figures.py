"""Figures of a benchmark: one per line, ours beside theirs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.table import Table


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
    """For people."""
    table = Table(title="Ours beside theirs, same servers, same run")
    for name in ("bench", "case"):
        table.add_column(name)
    for name in ("ours", "theirs", "ratio"):
        table.add_column(name, justify="right")
    for name in ("peer", "unit"):
        table.add_column(name)
    for figure in figures:
        ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}"
        table.add_row(
            figure.bench, figure.case, _shown(figure.ours), _shown(figure.theirs), ratio, figure.peer or "", figure.unit
        )
    console.print(table)


def _rounded(value: object) -> object:
    return float(f"{value:.4g}") if isinstance(value, float) else value


def _shown(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
