"""The OpenAPI schema: complete, valid, and its page loads nothing from elsewhere."""

from __future__ import annotations

import re
from io import StringIO
from typing import Any

import jsonschema
import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from drf_spectacular.generators import SchemaGenerator

pytestmark = pytest.mark.django_db
# Those of /ingest/ answer as the address without what follows it does.
UNDOCUMENTED = {
    "/ingest/sms-receipts/{path_secret}",
    *("/api/schema/", "/api/docs/"),
    *("/ingest/osmand/", "/ingest/owntracks/", "/ingest/osmand/{path_key}", "/ingest/osmand/{path_key}/"),
}


def _paths(resolver: URLResolver, prefix: str = "/") -> list[str]:
    found: list[str] = []
    for pattern in resolver.url_patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            found.append(re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route))
        else:
            found += _paths(pattern, route)
    return found


def _schema() -> dict[str, Any]:
    return SchemaGenerator().get_schema(request=None, public=True)


def test_it_is_valid_and_without_warnings():
    out = StringIO()
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=out)
    assert "openapi: 3" in out.getvalue()


def test_it_describes_every_route():
    routes = {path for path in _paths(get_resolver()) if path.startswith(("/api/", "/ingest/", "/health", "/metrics"))}
    described = set(_schema()["paths"])
    assert routes - UNDOCUMENTED == described
    assert len(described) > 40


def test_it_documents_an_error_shape_for_every_operation_that_needs_a_login():
    paths = _schema()["paths"]
    operations = [(path, operation) for path, methods in paths.items() for operation in methods.values()]
    guarded = [(path, operation) for path, operation in operations if operation.get("security")]
    assert guarded
    assert [path for path, operation in guarded if not {"401", "403"} <= set(operation["responses"])] == []


def test_every_default_is_a_value_that_its_field_takes():
    """Clients that are made from the schema send the defaults."""
    components = _schema()["components"]
    unfit = [
        (name, field)
        for name, component in components["schemas"].items()
        for field, one in component.get("properties", {}).items()
        if one.get("default") is not None
        and not jsonschema.Draft4Validator({**one, "components": components}).is_valid(one["default"])
    ]
    assert unfit == []


def test_the_body_of_a_patch_has_no_defaults():
    """Clients that are made from the schema would change fields that nobody named."""
    bodies = {name: one for name, one in _schema()["components"]["schemas"].items() if name.startswith("Patched")}
    assert bodies
    assert [
        name for name, one in bodies.items() if any("default" in field for field in one["properties"].values())
    ] == []


def test_its_page_loads_nothing_from_other_hosts():
    page = Client().get("/api/docs/").content.decode()
    assert "swagger-ui" in page
    assert re.findall(r'(?:src|href)="(?:https?:)?//', page) == []
