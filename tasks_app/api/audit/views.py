"""The list of audit entries."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from tasks_app.api.base import ApiView
from tasks_app.api.fields import TimestampField
from tasks_app.api.lists import Filters, Parameter, RowList, between, by_choice, by_id, by_text
from tasks_app.api.schema import describe
from tasks_app.models import AuditEntry
from tasks_app.queries.audit import VIEW_AUDIT, containing


class AuditEntrySerializer(serializers.ModelSerializer[AuditEntry]):
    """One thing that a person did."""

    created_at = TimestampField()
    user_id = serializers.IntegerField(allow_null=True, help_text="Null for the shell, and where nobody was logged in.")
    username = serializers.CharField(help_text="As it was then; it stays when the account is deleted.")
    changes = serializers.DictField(
        child=serializers.JSONField(),
        help_text="Of a row {field: [before, after]}, of lists {field: {added, removed}}; of a verb what it was given.",
    )

    class Meta:
        model = AuditEntry
        fields = [
            "id",
            "created_at",
            "user_id",
            "username",
            "way",
            "origin",
            "address",
            "client",
            "verb",
            "object_type",
            "object_id",
            "object_text",
            "changes",
            "reason",
        ]
        read_only_fields = fields


class AuditFilters(Filters):
    """Filters of the audit."""

    user = by_id("user_id", help_text="Number of a user.")
    username = by_text("username", max_length=150)
    verb = by_text("verb", max_length=24, help_text="add, change, delete, login, cancel, ...")
    way = by_choice(["api", "admin", "pages", "ingest", "shell", "command", "job"], "way")
    address = Parameter(serializers.IPAddressField(), "address")
    object_type = by_text("object_type", max_length=100, help_text="As tasks_app.device.")
    object_id = by_text("object_id", max_length=64)
    search = by_text(
        max_length=100, method="containing", help_text="Words in person, object, address, operation or reason."
    )

    @classmethod
    def get_filters(cls) -> dict[str, Any]:
        return {**super().get_filters(), **between("created_at")}

    def containing(self, rows: QuerySet[AuditEntry], name: str, value: str) -> QuerySet[AuditEntry]:
        """Find each of the words in any of the texts."""
        return rows.filter(containing(value))


ENTRIES = RowList(AuditEntrySerializer, filters=AuditFilters, orderings={"created_at": ("created_at", "id")})


class AuditListView(ApiView):
    """Audit entries, newest first."""

    rights = {"GET": VIEW_AUDIT}

    @describe(
        "List the audit",
        name="audit_list",
        tag="audit",
        parameters=ENTRIES.parameters,
        answers={200: ENTRIES.page_serializer("AuditPage")},
        description="Every change through the API, the admin, the pages and the shell, log-ins, and downloads of reports.",
    )
    def get(self, request: Request) -> Response:
        return ENTRIES.answer(request, AuditEntry.objects.all())
