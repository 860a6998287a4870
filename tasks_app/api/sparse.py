"""Sparse fields: `?fields=id,name` answers these fields of a row and no others."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from tasks_app.api.fields import StrictSerializer

FIELDS_HELP = _(
    "The fields of each row to answer, with commas between them; all unless said. Others are left out, required ones too."
)
MAX_LENGTH = 1000


@extend_schema_field(OpenApiTypes.STR)
class FieldsField(serializers.Field[list[str], Any, str, Any]):
    """Names of fields of `shown` with commas between them."""

    default_error_messages = {"unknown": _("Unknown field: {name}. The fields are {names}.")}

    def __init__(self, shown: Callable[[], Any], **kwargs: Any) -> None:
        super().__init__(**{"required": False, "help_text": FIELDS_HELP, **kwargs})
        self.shown = shown

    def to_internal_value(self, data: Any) -> list[str]:
        known = self.shown().fields
        wanted = list(dict.fromkeys(name.strip() for name in str(data)[:MAX_LENGTH].split(",")))
        for name in wanted:
            if name not in known:
                self.fail("unknown", name=name[:100] or '""', names=", ".join(known))
        return wanted

    def to_representation(self, value: list[str]) -> str:
        return ",".join(value)


def pruned(serializer: Any, names: Iterable[str] | None) -> Any:
    """Return the serializer without its fields but these; with None it keeps all."""
    fields = getattr(serializer, "child", serializer).fields
    for name in set(fields) - set(names if names is not None else fields):
        fields.pop(name)
    return serializer


def fields_query(shown: Callable[[], Any]) -> type[StrictSerializer]:
    """Return the query parameters of one row that is shown by this serializer."""

    class FieldsQuery(StrictSerializer):
        """Fields of the answer."""

        def get_fields(self) -> dict[str, Any]:
            # `fields` cannot be an attribute of a serializer.
            return {"fields": FieldsField(shown)}

    return FieldsQuery
