"""The ways of commands: one line each, in the order in which a device without a chain of its own tries them."""

from __future__ import annotations

from tasks_app.queries.commands import set_ways
from tasks_app.services.commands.ways.base import Way
from tasks_app.services.commands.ways.poll import PollWay
from tasks_app.services.commands.ways.session import SessionWay
from tasks_app.services.commands.ways.sms import SmsWay
from tasks_app.services.commands.ways.traccar import TraccarWay
from tasks_app.services.commands.ways.wake_up import WakeUpWay

_ALL: tuple[Way, ...] = (WakeUpWay(), SessionWay(), TraccarWay(), PollWay(), SmsWay())

WAYS: dict[str, Way] = {way.name: way for way in _ALL}
set_ways(WAYS)
