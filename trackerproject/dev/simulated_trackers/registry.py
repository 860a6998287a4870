"""The simulated trackers: one line for each protocol."""

from __future__ import annotations

from trackerproject.dev.simulated_trackers.base import Encoder
from trackerproject.dev.simulated_trackers.coban import CobanTracker
from trackerproject.dev.simulated_trackers.gt06 import Gt06Tracker
from trackerproject.dev.simulated_trackers.h02 import H02Tracker
from trackerproject.dev.simulated_trackers.jt808 import Jt808Tracker
from trackerproject.dev.simulated_trackers.queclink import QueclinkTracker
from trackerproject.dev.simulated_trackers.suntech import SuntechTracker
from trackerproject.dev.simulated_trackers.teltonika import TeltonikaTracker

_ALL: tuple[type[Encoder], ...] = (
    TeltonikaTracker,
    Gt06Tracker,
    SuntechTracker,
    QueclinkTracker,
    H02Tracker,
    Jt808Tracker,
    CobanTracker,
)

ENCODERS: dict[str, type[Encoder]] = {encoder.protocol: encoder for encoder in _ALL}
