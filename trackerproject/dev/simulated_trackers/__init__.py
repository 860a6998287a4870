"""Simulated trackers: one for each protocol of the gateway, speaking its real bytes on a real socket."""

from trackerproject.dev.simulated_trackers.base import Encoder, Report, Transport
from trackerproject.dev.simulated_trackers.days import day_of_reports, live_reports
from trackerproject.dev.simulated_trackers.registry import ENCODERS
from trackerproject.dev.simulated_trackers.tracker import SimulatedTracker

__all__ = ["ENCODERS", "Encoder", "Report", "SimulatedTracker", "Transport", "day_of_reports", "live_reports"]
