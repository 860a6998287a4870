"""Endpoints of schedules."""

from tasks_app.api.schedules.views import (
    ScheduleDisableView,
    ScheduleEnableView,
    ScheduleListView,
    ScheduleRunNowView,
    ScheduleValidateView,
    ScheduleView,
)

__all__ = [
    "ScheduleDisableView",
    "ScheduleEnableView",
    "ScheduleListView",
    "ScheduleRunNowView",
    "ScheduleValidateView",
    "ScheduleView",
]
