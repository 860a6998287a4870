"""Stored positions, to look at."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from tasks_app.api.base import ApiView
from tasks_app.api.fields import MomentField
from tasks_app.api.pagination import PageQuery, keyset_page, page_body
from tasks_app.api.permissions import device_for
from tasks_app.api.schema import describe, page_of
from tasks_app.models import FleetRole, Position

MAX_DAYS = 31


class StoredPositionSerializer(serializers.ModelSerializer[Position]):
    """A stored position."""

    fix_time = MomentField()
    received_at = MomentField()
    attributes = serializers.DictField(child=serializers.JSONField(), allow_null=True)

    class Meta:
        model = Position
        fields = [
            "device_id",
            "fix_time",
            "received_at",
            "latitude",
            "longitude",
            "altitude_meters",
            "speed_kph",
            "course_degrees",
            "accuracy_meters",
            "attributes",
        ]
        read_only_fields = fields


class PositionListQuery(PageQuery):
    """Which device, and when: the last day unless said."""

    device = serializers.IntegerField(min_value=1, max_value=2**63 - 1, help_text="The device's row number.")

    def get_fields(self) -> dict[str, Any]:
        # `from` is a Python keyword and cannot be a class attribute.
        return {**super().get_fields(), "from": MomentField(required=False), "to": MomentField(required=False)}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        end = attrs.get("to") or timezone.now()
        start = attrs.get("from") or end - timedelta(days=1)
        if not timedelta(0) < end - start <= timedelta(days=MAX_DAYS):
            detail = _("The range must go forward and cover at most %(days)d days.") % {"days": MAX_DAYS}
            raise serializers.ValidationError({"to": [detail]})
        return {**attrs, "from": start, "to": end}


class PositionListView(ApiView):
    """Positions of one device within `[from, to)`, newest first."""

    @describe(
        "List the positions of a device",
        name="positions_list",
        tag="positions",
        parameters=[PositionListQuery],
        answers={200: page_of(StoredPositionSerializer, "PositionPage")},
        errors=(404,),
    )
    def get(self, request: Request) -> Response:
        query = self.parameters(PositionListQuery)
        device = device_for(request.user, query["device"], FleetRole.VIEWER)
        rows = Position.objects.filter(device=device, fix_time__gte=query["from"], fix_time__lt=query["to"])
        page, cursor = keyset_page(rows, order=("fix_time",), limit=query["limit"], cursor=query.get("cursor"))
        return Response(page_body(request, cursor, StoredPositionSerializer(page, many=True).data))
