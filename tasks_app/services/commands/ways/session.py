"""The way of commands into a tracker's own connection, which a process of the gateway holds and writes to."""

from __future__ import annotations

from tasks_app.ingest.trackers.base import InvalidCommand, OutgoingCommand, TrackerSession
from tasks_app.ingest.trackers.registry import PROTOCOLS
from tasks_app.models import Command, CommandWay, Device
from tasks_app.queries.commands import access_of
from tasks_app.queries.trackers import session_of
from tasks_app.services.commands.set_up import as_set_up
from tasks_app.services.trackers import hand_command


class SessionWay:
    """The process that holds the connection gets the command's key, and calls `send_attempt`."""

    name = CommandWay.SESSION.value
    answer_seconds = 60.0

    def types(self, device: Device) -> frozenset[str]:
        protocol = PROTOCOLS.get(access_of(device).protocol)
        return protocol.command_types if protocol else frozenset()

    def check(self, device: Device, command: OutgoingCommand) -> None:
        access = access_of(device)
        protocol = PROTOCOLS[access.protocol]
        refusals = []
        for memory in protocol.memories:
            session = TrackerSession(device_id=device.unique_id, memory=dict(memory))
            try:
                protocol.encode(command, as_set_up(session, access, protocol.name))
            except InvalidCommand as error:
                refusals.append(error)
        if len(refusals) == len(protocol.memories):
            raise refusals[0]

    def can_take(self, device: Device, command: Command) -> bool:
        return session_of(device.unique_id) is not None

    def hand_over(self, device: Device, command: Command) -> None:
        session = session_of(device.unique_id)
        if session is not None:
            # It has ended meanwhile where this says no; the command waits for the next one.
            hand_command(session, command.pk)
