"""Kinds of channels and messages register themselves; nothing else names them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from django.template.loader import get_template

from notifications_app.channels.registry import CHANNELS
from notifications_app.matching.event_traits import traits_of, urgent_kinds
from notifications_app.messages.kinds.base import EVENT_MESSAGES
from notifications_app.models import Delivery, Destination, Notification
from notifications_app.models.kinds import (
    CHANNEL_KINDS,
    MESSAGE_KINDS,
    KindRegistry,
    MessageKind,
    channel_choices,
    message_kind_choices,
    rule_kind_choices,
)
from tasks_app.models import EventKind

PACKAGE = Path(__file__).resolve().parents[2] / "notifications_app"


def test_every_channel_is_a_choice_with_a_label_and_a_phrase():
    assert [kind for kind, _label in channel_choices()] == list(CHANNELS)
    assert all(str(channel.label) and str(channel.phrase) for channel in CHANNEL_KINDS)


@pytest.mark.parametrize(
    ("model", "field", "choices"),
    [
        (Delivery, "channel", channel_choices),
        (Destination, "kind", channel_choices),
        (Notification, "kind", message_kind_choices),
    ],
)
def test_a_new_kind_needs_no_migration(model, field, choices):
    _name, _path, _args, options = model._meta.get_field(field).deconstruct()
    assert options["choices"] is choices


def test_every_kind_of_event_has_a_message_and_a_phrase():
    assert set(EVENT_MESSAGES) == set(EventKind.values)
    assert all(one.phrase_for("Depot", ["sos"]) for one in EVENT_MESSAGES.values())


def test_only_alarms_are_urgent_and_only_what_the_server_detects_does_not_age():
    assert urgent_kinds() == ["alarm"]
    detected = {kind for kind in EventKind.values if not traits_of(kind).ages}
    assert detected == {"device_offline", "device_online", "maintenance_due_soon", "maintenance_due"}
    lasting = {kind for kind in EventKind.values if traits_of(kind).lasts}
    assert lasting == {"overspeed", "overspeed_end", "device_offline", "device_online"}


@pytest.mark.parametrize("ending", ["subject.txt", "txt", "html"])
def test_every_kind_of_message_has_its_templates(ending):
    for one in MESSAGE_KINDS:
        get_template(f"{one.template_path}.{ending}")


def test_rules_may_ask_for_events_reports_and_the_system():
    kinds = [kind for kind, _label in rule_kind_choices()]
    assert kinds == [*EventKind.values, "report_ready", "report_failed", "system"]


def test_a_name_that_is_taken_is_refused():
    registry: KindRegistry[MessageKind] = KindRegistry()
    known = MessageKind("tow", "Tow")
    registry.register(known, known)
    with pytest.raises(ValueError, match="registered already"):
        registry.register(MessageKind("tow", "Towed"))


def test_the_package_names_no_kind_of_a_package_above():
    of_reports = {"report_ready", "report_failed", "reports_app"}
    for path in PACKAGE.rglob("*.py"):
        if "migrations" in path.parts:
            continue
        constants = [node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)]
        named = [one for one in constants if isinstance(one, str) and any(word in one for word in of_reports)]
        assert not named, path
