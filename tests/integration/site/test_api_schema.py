"""The OpenAPI schema: complete, valid, and its page loads nothing from elsewhere."""

from __future__ import annotations

import re
from io import StringIO

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


def test_it_is_valid_and_without_warnings():
    out = StringIO()
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=out)
    assert "openapi: 3" in out.getvalue()


def test_it_describes_every_route():
    routes = {path for path in _paths(get_resolver()) if path.startswith(("/api/", "/ingest/", "/health", "/metrics"))}
    described = set(SchemaGenerator().get_schema(request=None, public=True)["paths"])
    assert routes - UNDOCUMENTED == described
    assert len(described) > 40


def test_it_documents_an_error_shape_for_every_operation_that_needs_a_login():
    paths = SchemaGenerator().get_schema(request=None, public=True)["paths"]
    operations = [(path, operation) for path, methods in paths.items() for operation in methods.values()]
    guarded = [(path, operation) for path, operation in operations if operation.get("security")]
    assert guarded
    assert [path for path, operation in guarded if not {"401", "403"} <= set(operation["responses"])] == []


def test_its_page_loads_nothing_from_other_hosts():
    page = Client().get("/api/docs/").content.decode()
    assert "swagger-ui" in page
    assert re.findall(r'(?:src|href)="(?:https?:)?//', page) == []
