"""The list of audit entries."""

from __future__ import annotations

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from tasks_app.api.base import ApiView
from tasks_app.api.fields import StrictCharField, TimestampField
from tasks_app.api.pagination import PageQuery, keyset_page, page_body
from tasks_app.api.schema import describe, page_of
from tasks_app.models import AuditEntry
from tasks_app.queries.audit import VIEW_AUDIT, audit_entries


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


class AuditListQuery(PageQuery):
    """Filters of the audit."""

    user = serializers.IntegerField(min_value=1, max_value=2**63 - 1, required=False, help_text="Number of a user.")
    username = StrictCharField(max_length=150, required=False)
    verb = StrictCharField(max_length=24, required=False, help_text="add, change, delete, login, cancel, ...")
    way = serializers.ChoiceField(
        choices=["api", "admin", "pages", "ingest", "shell", "command", "job"], required=False
    )
    address = serializers.IPAddressField(required=False)
    object_type = StrictCharField(max_length=100, required=False, help_text="As tasks_app.device.")
    object_id = StrictCharField(max_length=64, required=False)
    search = StrictCharField(
        max_length=100, required=False, help_text="Words in person, object, address, operation or reason."
    )

    def get_fields(self) -> dict[str, serializers.Field]:
        # `from` is a Python keyword and cannot be a class attribute.
        return {**super().get_fields(), "from": TimestampField(required=False), "to": TimestampField(required=False)}


class AuditListView(ApiView):
    """Audit entries, newest first."""

    rights = {"GET": VIEW_AUDIT}

    @describe(
        "List the audit",
        name="audit_list",
        tag="audit",
        parameters=[AuditListQuery],
        answers={200: page_of(AuditEntrySerializer, "AuditPage")},
        description="Every change through the API, the admin, the pages and the shell, log-ins, and downloads of reports.",
    )
    def get(self, request: Request) -> Response:
        query = self.parameters(AuditListQuery)
        rows, cursor = keyset_page(
            audit_entries(query), order=("created_at", "id"), limit=query["limit"], cursor=query.get("cursor")
        )
        return Response(page_body(request, cursor, AuditEntrySerializer(rows, many=True).data))
