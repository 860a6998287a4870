"""The members of a fleet and their roles, kept by its managers."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.http import Http404
from django.utils.translation import gettext as _
from rest_framework import serializers, status
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from tasks_app.api.base import ApiView
from tasks_app.api.fields import IdField, StrictCharField, StrictSerializer
from tasks_app.api.lists import BY_ID, Filters, RowList, by_choice, by_text
from tasks_app.api.permissions import fleet_for
from tasks_app.api.rows import deleted, saved
from tasks_app.api.schema import describe
from tasks_app.api.sparse import fields_query
from tasks_app.models import Fleet, FleetMembership, FleetRole
from tasks_app.queries.access import Right
from tasks_app.queries.account_rights import may_give_role


def right_to(verb: str) -> Right:
    """The right to view, add, change or delete memberships of a fleet."""
    return Right(FleetRole.MANAGER, f"tasks_app.{verb}_fleetmembership")


class MemberSerializer(serializers.ModelSerializer[FleetMembership]):
    """A person's role in a fleet."""

    username = serializers.CharField(source="user.username")
    role = serializers.ChoiceField(choices=FleetRole.choices)

    class Meta:
        model = FleetMembership
        fields = ["user_id", "username", "role"]
        read_only_fields = fields


class NewMemberBody(StrictSerializer):
    """A person, by number or by user name, and the role."""

    user_id = IdField(required=False)
    username = StrictCharField(max_length=150, required=False)
    role = serializers.ChoiceField(choices=FleetRole.choices)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("user_id" in attrs) == ("username" in attrs):
            raise serializers.ValidationError(_("Give user_id or username, one of them."))
        return attrs


class RoleBody(StrictSerializer):
    """The role from now on."""

    role = serializers.ChoiceField(choices=FleetRole.choices)


class MemberFilters(Filters):
    """Filters of the list of members."""

    role = by_choice(FleetRole.choices, "role")
    username = by_text("user__username", max_length=150)


MEMBERS = RowList(MemberSerializer, filters=MemberFilters, orderings=BY_ID)


class MemberListView(ApiView):
    """The members of a fleet."""

    rights = {"GET": right_to("view"), "POST": right_to("add")}

    @describe(
        "List the members of a fleet",
        name="members_list",
        tag="fleet",
        parameters=MEMBERS.parameters,
        answers={200: MEMBERS.page_serializer("MemberPage")},
        errors=(404,),
        description="For its managers.",
    )
    def get(self, request: Request, fleet_id: int) -> Response:
        fleet = fleet_for(request.user, fleet_id, self.asked)
        return MEMBERS.answer(request, fleet.memberships.select_related("user"))

    @describe(
        "Make a person a member of a fleet",
        name="members_create",
        tag="fleet",
        request=NewMemberBody,
        answers={201: MemberSerializer},
        errors=(404,),
        description="For its managers. Who is a member already is a 400; change the role instead.",
    )
    def post(self, request: Request, fleet_id: int) -> Response:
        fleet = fleet_for(request.user, fleet_id, self.asked)
        body = self.body(NewMemberBody)
        _check_roles(request.user, fleet, body["role"])
        member = saved(FleetMembership(fleet=fleet, user=_person(body)), {"role": body["role"]})
        return Response(MemberSerializer(member).data, status=status.HTTP_201_CREATED)


class MemberView(ApiView):
    """One member of a fleet."""

    rights = {"GET": right_to("view"), "PATCH": right_to("change"), "DELETE": right_to("delete")}

    @describe(
        "A member of a fleet",
        name="members_retrieve",
        tag="fleet",
        parameters=[fields_query(MemberSerializer)],
        answers={200: MemberSerializer},
        errors=(404,),
    )
    def get(self, request: Request, fleet_id: int, user_id: int) -> Response:
        return Response(self.shown(MemberSerializer, self._member(fleet_id, user_id)))

    @describe(
        "Change a member's role",
        name="members_update",
        tag="fleet",
        request=RoleBody,
        answers={200: MemberSerializer},
        errors=(404,),
        description="For managers of the fleet. It takes effect at once, on open pages too.",
    )
    def patch(self, request: Request, fleet_id: int, user_id: int) -> Response:
        member = self._member(fleet_id, user_id)
        body = self.body(RoleBody, changing=member, shown=MemberSerializer(member).data)
        _check_roles(request.user, member.fleet, member.role, *body.values())
        return Response(MemberSerializer(saved(member, body)).data)

    @describe("Remove a member", name="members_delete", tag="fleet", answers={204: None}, errors=(404, 409))
    def delete(self, request: Request, fleet_id: int, user_id: int) -> Response:
        member = self._member(fleet_id, user_id)
        _check_roles(request.user, member.fleet, member.role)
        return deleted(member)

    def _member(self, fleet_id: int, user_id: int) -> FleetMembership:
        fleet = fleet_for(self.request.user, fleet_id, self.asked)
        member = fleet.memberships.select_related("user", "fleet").filter(user_id=user_id).first()
        if member is None:
            raise Http404
        return member


def _check_roles(editor: Any, fleet: Fleet, *roles: str) -> None:
    """Return if `editor` has these roles, or as much as staff, as in the admin. Raises PermissionDenied."""
    if not all(may_give_role(editor, fleet, role) for role in roles):
        raise PermissionDenied(_("You may not give or take a role that you do not have in the fleet yourself."))


def _person(body: dict[str, Any]) -> Any:
    named = {name: body[name] for name in ("user_id", "username") if name in body}
    lookup = {"pk" if name == "user_id" else name: value for name, value in named.items()}
    person = get_user_model()._default_manager.filter(is_active=True, **lookup).first()
    if person is None:
        raise serializers.ValidationError({name: [_("There is no such user.")] for name in named})
    return person
