"""When an engine runs: from each word of the ignition until the next one. Idle is standing with the engine on."""

from __future__ import annotations

import numpy as np

from tasks_app.geo.distance import FloatArray
from tasks_app.geo.steps import Steps

# Many devices tell the ignition only as it changes; one that said nothing for longer than this is not believed any more.
HOLDS_SECONDS = 43_200.0


def engine_seconds(steps: Steps, times: FloatArray, ignition: FloatArray) -> FloatArray:
    """How much of each step the engine ran: all of it where the ignition was on at its beginning, nothing of a silence.

    `times` and `ignition` (1, 0, NaN for not said) are those of all fixes, also of the ones that are not believed.
    """
    is_on = _known(times, ignition)[steps.index] == 1.0
    return np.where(is_on[:-1] & ~steps.gap, steps.seconds, 0.0)


def idle_seconds(steps: Steps, engine: FloatArray) -> FloatArray:
    """How much of the `engine_seconds` of each step was standing."""
    return np.where(engine > 0.0, steps.seconds - steps.driven_seconds, 0.0)


def _known(times: FloatArray, ignition: FloatArray) -> FloatArray:
    """Return the newest word of the ignition at each fix, until it is too old."""
    last = np.maximum.accumulate(np.where(np.isnan(ignition), 0, np.arange(len(ignition))))
    return np.where(times - times[last] <= HOLDS_SECONDS, ignition[last], np.nan)
