"""Commands that rules send: saved ones, where the fleet of the device allows them to rules, with the checks of any other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from django.utils.translation import gettext as _

from notifications_app.models import Rule
from tasks_app.models import Device, Event, EventKind
from tasks_app.services.commands import CommandRefused, may_rule_send, request_command
from tasks_app.services.events import record_events


def send_commands_of_rules(
    wanted: Sequence[tuple[int, int, int]], devices: Mapping[int, Device], *, now: datetime
) -> None:
    """Request the command of each (rule, event, device), once for each rule and event, in the caller's transaction.

    One that is refused is an event of the device, about which people can be notified.
    """
    if not wanted:
        return
    rules = Rule.objects.select_related("command").in_bulk({rule_id for rule_id, _event, _device in wanted})
    refusals = []
    for rule_id, event_id, device_id in wanted:
        if reason := _refused(rules[rule_id], devices[device_id], event_id):
            data = {"result": reason, "rule": rules[rule_id].name}
            refusals.append(Event(device_id=device_id, kind=EventKind.COMMAND_RESULT, occurred_at=now, data=data))
    if refusals:
        record_events(refusals)


def _refused(rule: Rule, device: Device, event_id: int) -> str:
    """Request the command of a rule; return why it was refused, "" where it was not."""
    command = rule.command
    if command is None:
        return ""
    sentence = _("Not sent by rule “%(rule)s”: %(reason)s")
    if not may_rule_send(device.fleet.rule_commands, command.type):
        return sentence % {"rule": rule.name, "reason": _("Its fleet does not allow this command to rules.")}
    try:
        request_command(
            device=device,
            type=command.type,
            parameters=command.parameters,
            user=None,
            idempotency_key=f"rule:{rule.pk}:{event_id}",
            reason=_("Rule “%(rule)s”") % {"rule": rule.name},
            # A person who may send it confirmed it by making the rule.
            typed_name=device.name,
            is_template=True,
        )
    except CommandRefused as refusal:
        return sentence % {"rule": rule.name, "reason": refusal.sentence}
    return ""
