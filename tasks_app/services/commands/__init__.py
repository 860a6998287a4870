"""Commands to devices: requested, confirmed, sent at most once, answered. docs/adr/0018 says what is promised."""

from tasks_app.services.commands.answers import record_answer
from tasks_app.services.commands.attempts import Clock, Encode, NothingWritten, SendOutcome, Write, send_attempt
from tasks_app.services.commands.checking import fitting
from tasks_app.services.commands.controlling import cancel_command, confirm_command
from tasks_app.services.commands.deciding import has_safety_rules, may_rule_send
from tasks_app.services.commands.groups import GroupResult, GroupRow, request_commands
from tasks_app.services.commands.jobs import request_in_job
from tasks_app.services.commands.refusals import CommandRefused
from tasks_app.services.commands.requesting import request_command
from tasks_app.services.commands.results import match_results
from tasks_app.services.commands.sending import send_next
from tasks_app.services.commands.set_up import as_set_up
from tasks_app.services.commands.sweeping import record_relay, sweep_commands
from tasks_app.services.commands.ways.poll import (
    Form,
    acknowledge_fetched,
    answer_position_request,
    fetch_command,
    may_wait,
)
from tasks_app.services.commands.ways.sms_receipts import read_receipts, record_receipts

__all__ = [
    "Clock",
    "CommandRefused",
    "Encode",
    "Form",
    "GroupResult",
    "GroupRow",
    "NothingWritten",
    "SendOutcome",
    "Write",
    "acknowledge_fetched",
    "answer_position_request",
    "as_set_up",
    "cancel_command",
    "confirm_command",
    "fetch_command",
    "fitting",
    "has_safety_rules",
    "match_results",
    "may_rule_send",
    "may_wait",
    "read_receipts",
    "record_answer",
    "record_receipts",
    "record_relay",
    "request_command",
    "request_commands",
    "request_in_job",
    "send_attempt",
    "send_next",
    "sweep_commands",
]
