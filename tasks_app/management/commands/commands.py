"""`manage.py commands`: list, send, cancel and confirm commands to devices from the shell."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from tasks_app.engine.storable import storable_text
from tasks_app.ingest.trackers.command_types import COMMAND_TYPES
from tasks_app.management.acting import acting_user, add_user_option, operator_reason
from tasks_app.management.arguments import short_text, whole_number
from tasks_app.management.base import ShellCommand
from tasks_app.management.command_tables import command_line, command_row, command_table
from tasks_app.management.output import console_of, print_json
from tasks_app.models import Command as DeviceCommand
from tasks_app.models import CommandState, CommandWay, Device
from tasks_app.queries.access import VIEW_DEVICES, visible_commands, visible_devices, visible_fleets
from tasks_app.services.commands import CommandRefused, cancel_command, confirm_command, request_command

MAX_LISTED = 10_000


class Command(ShellCommand):
    help = _("Lists, sends, cancels and confirms commands to devices. Exit code 1 when one of them was refused.")

    # The person it acts as.
    user: Any

    def add_arguments(self, parser: CommandParser) -> None:
        steps = parser.add_subparsers(dest="step", required=True, metavar="list|send|cancel|confirm")
        listing = steps.add_parser("list", help=_("Commands, newest first."))
        listing.add_argument(
            "--device",
            metavar="DEVICE",
            type=short_text(128),
            help=_("Of this device: its unique id, or # and its number."),
        )
        listing.add_argument("--fleet", type=whole_number, metavar="ID", help=_("Of the devices of this fleet."))
        listing.add_argument("--state", choices=CommandState.values, metavar="STATE", help=", ".join(CommandState))
        listing.add_argument("--type", choices=list(COMMAND_TYPES), metavar="TYPE", help=", ".join(COMMAND_TYPES))
        listing.add_argument("--limit", type=whole_number, default=50, help=_("At most so many (50)."))
        sending = steps.add_parser("send", help=_("Send a command to a device."))
        _add_sending(sending)
        cancelling = steps.add_parser("cancel", help=_("Cancel commands that were not sent yet."))
        confirming = steps.add_parser("confirm", help=_("Confirm commands of others, as the person that --user names."))
        for step in (cancelling, confirming):
            step.add_argument("ids", nargs="+", type=whole_number, metavar="ID")
        for step in (sending, cancelling):
            step.add_argument("--reason", default="", help=_("Kept with the command."))
        for step in (listing, sending, cancelling, confirming):
            add_user_option(step)
            step.add_argument("--json", action="store_true", help=_("Print one JSON document."))

    def handle(self, *args: Any, step: str, **options: Any) -> None:
        steps: dict[str, Callable[..., None]] = {
            "list": self._list,
            "send": self._send,
            "cancel": self._cancel,
            "confirm": self._confirm,
        }
        self.user = acting_user(options)
        steps[step](options)

    def _list(self, options: dict[str, Any]) -> None:
        if not 1 <= options["limit"] <= MAX_LISTED:
            raise CommandError(_("--limit must be between 1 and %(max)d.") % {"max": MAX_LISTED})
        found = list(self._listed(options).select_related("device", "requested_by")[: options["limit"]])
        if options["json"]:
            print_json(self, [command_row(one) for one in found])
        else:
            console_of(self).print(command_table(found) if found else _("No commands here."))

    def _listed(self, options: dict[str, Any]) -> QuerySet[DeviceCommand]:
        rows = visible_commands(self.user).order_by("-created_at", "-pk")
        if options["device"]:
            rows = rows.filter(device=self._device(options["device"]))
        fleet = options["fleet"]
        if fleet is not None and not visible_fleets(self.user, VIEW_DEVICES).filter(pk=fleet).exists():
            raise CommandError(_("There is no fleet %(name)s.") % {"name": fleet})
        for name, column in (("fleet", "device__fleet_id"), ("state", "state"), ("type", "type")):
            if options[name] is not None:
                rows = rows.filter(**{column: options[name]})
        return rows

    def _send(self, options: dict[str, Any]) -> None:
        device = self._device(options["device"])
        asked = {name: options[name] for name in ("way", "priority", "is_override")}
        # Bytes of a shell that are no UTF-8 come as lone surrogates, which no database keeps.
        asked |= {"reason": storable_text(options["reason"]), "idempotency_key": options["idempotency_key"] or ""}
        try:
            command = request_command(
                device=device,
                type=options["type"],
                parameters=_parameters(options["type"], options["parameter"]),
                user=self.user,
                expires_in_seconds=options["expires"],
                typed_name=options["confirm_name"] or "",
                **asked,
            )
        except CommandRefused as error:
            raise CommandError(_sentence(error)) from error
        self._print([command], options)

    def _cancel(self, options: dict[str, Any]) -> None:
        reason = operator_reason(options["reason"])
        self._each(options, lambda command: cancel_command(command, self.user, reason))

    def _confirm(self, options: dict[str, Any]) -> None:
        if not options["user"]:
            raise CommandError(_("Name the person who confirms with --user: it has to be another one than the sender."))
        self._each(options, lambda command: confirm_command(command, self.user))

    def _each(self, options: dict[str, Any], act: Callable[[DeviceCommand], DeviceCommand]) -> None:
        """Act on each command and print each outcome; fail in the end when one was refused."""
        done: list[DeviceCommand] = []
        refused: list[str] = []
        for number in dict.fromkeys(options["ids"]):
            command = visible_commands(self.user).select_related("device__fleet").filter(pk=number).first()
            try:
                if command is None:
                    raise CommandRefused("unknown", _("There is no such command."))
                done.append(act(command))
            except CommandRefused as error:
                refused.append(f"{number}  {error.sentence}")
        self._print(done, options)
        if refused:
            raise CommandError("\n".join(refused))

    def _print(self, commands: list[DeviceCommand], options: dict[str, Any]) -> None:
        if options["json"]:
            print_json(self, [command_row(one) for one in commands])
            return
        for one in commands:
            self.stdout.write(command_line(one))

    def _device(self, text: str) -> Device:
        """Return the device of this unique id or number that the user may see. Raises CommandError."""
        devices = visible_devices(self.user).select_related("fleet", "access")
        number = text.removeprefix("#")
        found = devices.filter(unique_id=storable_text(text)).first()
        if found is None and text.startswith("#") and number.isascii() and number.isdecimal() and len(number) < 19:
            found = devices.filter(pk=int(number)).first()
        if found is None:
            raise CommandError(_("There is no device %(name)s.") % {"name": text})
        return found


def _add_sending(step: CommandParser) -> None:
    step.add_argument("device", metavar="DEVICE", help=_("Its unique id, or # and its number."))
    step.add_argument("type", choices=list(COMMAND_TYPES), metavar="TYPE", help=", ".join(COMMAND_TYPES))
    example = _("As NAME=VALUE; again for each further one.")
    step.add_argument("--parameter", action="append", default=[], metavar="NAME=VALUE", help=example)
    step.add_argument("--way", choices=CommandWay.values, default="", help=_("This way only."))
    step.add_argument("--priority", type=whole_number, default=0, help=_("From -100 to 100 (0)."))
    step.add_argument("--expires", type=whole_number, metavar="SECONDS", help=_("How long it holds."))
    step.add_argument(
        "--override", dest="is_override", action="store_true", help=_("Against the rules of safety; give a reason.")
    )
    key_help, name_help = _("The same key makes one command only."), _("Of dangerous types: the device's name.")
    step.add_argument("--key", dest="idempotency_key", type=short_text(64), help=key_help)
    step.add_argument("--confirm", dest="confirm_name", type=short_text(128), metavar="NAME", help=name_help)


def _parameters(type_name: str, texts: list[str]) -> dict[str, Any]:
    """Return the parameters that were given as NAME=VALUE, each as its kind reads it. Raises CommandError."""
    kinds = {one.name: one.kind for one in COMMAND_TYPES[type_name].parameters}
    found: dict[str, Any] = {}
    for text in texts:
        name, separator, value = text.partition("=")
        if not separator:
            raise CommandError(_("%(text)s is not NAME=VALUE.") % {"text": json.dumps(text)})
        found[name] = value if kinds.get(name, "text") == "text" else _json(value)
    return found


def _json(text: str) -> Any:
    """Return a number, true or false; what is none of these as it is, which is refused with the bounds."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _sentence(error: CommandRefused) -> str:
    named = [f"{name.removeprefix('parameters.')}: {text}" for name, text in error.errors.items()]
    return "\n".join(named) or error.sentence
