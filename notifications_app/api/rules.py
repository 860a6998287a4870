"""Rules: read by the members of their fleet, written by its managers; and the dry run of an event."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError as InvalidRow
from django.db import transaction
from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework import serializers, status
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from notifications_app.api.rule_fields import DryRunBody, DryRunSerializer, RuleSerializer
from notifications_app.models import Rule
from notifications_app.queries.dry_run import dry_run
from notifications_app.queries.rule_rows import VIEW_RULES, visible_rules
from notifications_app.services.rules import save_rule
from tasks_app.api.base import ApiView
from tasks_app.api.lists import BY_ID, Filters, RowList, by_flag, by_id, by_text
from tasks_app.api.permissions import device_for, fleet_for, geofence_for, refusal
from tasks_app.api.rows import deleted
from tasks_app.api.schema import describe
from tasks_app.api.sparse import fields_query
from tasks_app.models import Device, Event, Fleet, FleetRole
from tasks_app.queries.access import VIEW_DEVICES, VIEW_GEOFENCES, Right, has_right, visible_events
from tasks_app.services.rows import hold_row


class RuleFilters(Filters):
    """Filters of the list."""

    fleet = by_id("fleet_id")
    name = by_text("name", max_length=100, lookup="icontains", help_text="A part of it.")
    is_active = by_flag("is_active")


RULES = RowList(RuleSerializer, filters=RuleFilters, orderings={**BY_ID, "name": ("name", "id")})


class RuleListView(ApiView):
    """The rules of the caller's fleets."""

    rights = {"GET": VIEW_RULES, "POST": Right(FleetRole.MANAGER, "notifications_app.add_rule")}
    commanding = ("POST",)

    @describe(
        "List rules",
        name="rules_list",
        tag="notifications",
        parameters=RULES.parameters,
        answers={200: RULES.page_serializer("RulePage")},
    )
    def get(self, request: Request) -> Response:
        return RULES.answer(request, visible_rules(request.user))

    @describe(
        "Make a rule",
        name="rules_create",
        tag="notifications",
        request=RuleSerializer,
        answers={201: RuleSerializer},
        errors=(404,),
        description="For managers of its fleet. A rule without a fleet is about every fleet, and for staff. With a command "
        "it takes the scope `operate` of an API token.",
    )
    def post(self, request: Request) -> Response:
        values = self.body(RuleSerializer)
        fleet_id: int | None = values.get("fleet_id")
        fleet = None if fleet_id is None else fleet_for(request.user, fleet_id, self.asked)
        _check_may(request.user, fleet, self.asked)
        self.check_commanding(may_send_more(None, values))
        rule = _saved(Rule(), values, request.user)
        return Response(RuleSerializer(rule).data, status=status.HTTP_201_CREATED)


class RuleView(ApiView):
    """One rule."""

    rights = {
        "GET": VIEW_RULES,
        "PATCH": Right(FleetRole.MANAGER, "notifications_app.change_rule"),
        "DELETE": Right(FleetRole.MANAGER, "notifications_app.delete_rule"),
    }
    # Not DELETE: a rule that is gone sends nothing.
    commanding = ("PATCH",)

    @describe(
        "A rule",
        name="rules_retrieve",
        tag="notifications",
        parameters=[fields_query(RuleSerializer)],
        answers={200: RuleSerializer},
        errors=(404,),
    )
    def get(self, request: Request, rule_id: int) -> Response:
        return Response(self.shown(RuleSerializer, _shown(request.user, rule_id)))

    @describe(
        "Change a rule",
        name="rules_update",
        tag="notifications",
        request=RuleSerializer(partial=True),
        answers={200: RuleSerializer},
        errors=(404,),
        description="For managers of its fleet; its fleet cannot be changed. To change a rule that has a command takes "
        "the scope `operate` of an API token; to take the command away, or to do nothing but switch the rule off, does not.",
    )
    def patch(self, request: Request, rule_id: int) -> Response:
        rule = _shown(request.user, rule_id)
        _check_may(request.user, rule.fleet, self.asked)
        values = self.body(RuleSerializer, changing=rule)
        if values.get("fleet_id", rule.fleet_id) != rule.fleet_id:
            raise serializers.ValidationError({"fleet_id": [_("A rule stays in its fleet.")]})
        with transaction.atomic():
            # Nobody gives it a command between the check and the change.
            hold_row(rule)
            self.check_commanding(may_send_more(rule.command_id, values))
            _saved(rule, values, request.user)
        return Response(RuleSerializer(_shown(request.user, rule_id)).data)

    @describe("Delete a rule", name="rules_delete", tag="notifications", answers={204: None}, errors=(404, 409))
    def delete(self, request: Request, rule_id: int) -> Response:
        rule = _shown(request.user, rule_id)
        _check_may(request.user, rule.fleet, self.asked)
        return deleted(rule)


class DryRunView(ApiView):
    """The dry run of an event."""

    rights = {"POST": Right(FleetRole.MANAGER, "notifications_app.change_rule")}

    @describe(
        "Dry run: the people whom an event would notify, and reasons for the others",
        name="rules_dry_run",
        tag="notifications",
        request=DryRunBody,
        answers={200: DryRunSerializer},
        errors=(404,),
        description=(
            "For managers of the device's fleet. Nothing is written, nobody is notified. Give the `event_id` of an event that "
            "happened, or describe one."
        ),
    )
    def post(self, request: Request) -> Response:
        body = self.body(DryRunBody)
        event, device = _event_of(request.user, body)
        if not has_right(request.user, device.fleet, self.asked):
            raise refusal(self.asked)
        verdicts = dry_run(event, device, now=timezone.now())
        return Response(DryRunSerializer({"results": verdicts}).data)


def may_send_more(command_id: int | None, values: Mapping[str, Any]) -> bool:
    """Whether a rule that has this command may send one that it did not send before, once it has these values.

    Its values say when, where and of what it sends. That it is switched off makes no difference: another person may switch it
    on again, as it is then.
    """
    is_no_change = not values or values == {"is_active": False}
    return values.get("command_id", command_id) is not None and not is_no_change


def _event_of(user: Any, body: Mapping[str, Any]) -> tuple[Event, Device]:
    if "event_id" in body:
        event = visible_events(user).filter(pk=body["event_id"]).select_related("device__fleet").first()
        if event is None:
            raise Http404
        return event, event.device
    device = device_for(user, body["device_id"], VIEW_DEVICES)
    if "geofence_id" in body and geofence_for(user, body["geofence_id"], VIEW_GEOFENCES).fleet_id != device.fleet_id:
        raise Http404
    notified = {
        "speed_kph": body.get("speed_kph"),
        "alarm": body.get("alarm"),
        "offline_minutes": body.get("offline_minutes"),
    }
    return (
        Event(
            device=device,
            kind=body["kind"],
            occurred_at=body.get("occurred_at") or timezone.now(),
            latitude=body.get("latitude"),
            longitude=body.get("longitude"),
            geofence_id=body.get("geofence_id"),
            data={name: value for name, value in notified.items() if value is not None},
        ),
        device,
    )


def _shown(user: Any, rule_id: int) -> Rule:
    rule = visible_rules(user).filter(pk=rule_id).first()
    if rule is None:
        raise Http404
    return rule


def _check_may(user: Any, fleet: Fleet | None, right: Right) -> None:
    if has_right(user, fleet, right):
        return
    raise refusal(right) if fleet else PermissionDenied(_("Rules about every fleet are for staff."))


def _saved(rule: Rule, values: Mapping[str, Any], user: Any) -> Rule:
    try:
        return save_rule(rule, values, user)
    except InvalidRow as error:
        problems: dict[str, Any] = error.message_dict if hasattr(error, "error_dict") else {}
        names = {"__all__": "non_field_errors", "fleet": "fleet_id", "command": "command_id"}
        problems = {names.get(name, name): found for name, found in problems.items()}
        raise serializers.ValidationError(problems or {"non_field_errors": error.messages}) from error
