"""The figures of a track as a whole."""

from __future__ import annotations

from typing import Any

import numpy as np

from tasks_app.geo.figures import Columns, Figures, figures_of_parts
from tasks_app.geo.motion_rules import MotionRules
from tasks_app.geo.speed import floats
from tasks_app.geo.steps import read_steps


def whole_figures(
    times: Any, latitudes: Any, longitudes: Any, speeds: Any = None, ignition: Any = None, *, rules: MotionRules
) -> Figures:
    """The figures from the first fix to the last one; speeds and ignition may be None, or NaN where none was sent."""
    unknown = np.full(len(times), np.nan)
    track = [
        floats(unknown if column is None else column) for column in (times, latitudes, longitudes, speeds, ignition)
    ]
    edges = [track[0][0], track[0][-1] + 1e-3] if len(times) else [0.0, 1.0]
    return figures_of_parts(Columns(*track), read_steps(*track[:4], rules=rules), edges)[0]
