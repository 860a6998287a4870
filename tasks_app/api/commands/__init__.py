"""Endpoints of commands: their rows and steps, many at once, saved ones, and what a device can be sent."""

from tasks_app.api.commands.bulk import CommandBulkView
from tasks_app.api.commands.saved import SavedCommandListView, SavedCommandView
from tasks_app.api.commands.types import DeviceCommandTypesView
from tasks_app.api.commands.views import CommandCancelView, CommandConfirmView, CommandListView, CommandView

__all__ = [
    "CommandBulkView",
    "CommandCancelView",
    "CommandConfirmView",
    "CommandListView",
    "CommandView",
    "DeviceCommandTypesView",
    "SavedCommandListView",
    "SavedCommandView",
]
