"""Commands: of all devices and of one, what a device can be sent, and one command to cancel or confirm."""

from django.urls import path

from tasks_app.pages.commands.lists import commands
from tasks_app.pages.commands.steps import command_cancel, command_confirm
from tasks_app.pages.commands.views import command, device_command_send, device_commands

commands_urls = [
    path("commands/", commands, name="commands"),
    path("devices/<int:device_id>/commands/", device_commands, name="device_commands"),
    path("devices/<int:device_id>/commands/<slug:type_name>/", device_command_send, name="device_command_send"),
    path("commands/<int:command_id>/", command, name="command"),
    path("commands/<int:command_id>/cancel/", command_cancel, name="command_cancel"),
    path("commands/<int:command_id>/confirm/", command_confirm, name="command_confirm"),
]

__all__ = ["commands_urls"]
