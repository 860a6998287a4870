"""The OpenAPI schema: complete, valid, and its page loads nothing from elsewhere."""

from __future__ import annotations

import json
import re
from io import StringIO
from typing import Any

import jsonschema
import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from drf_spectacular.generators import SchemaGenerator

from tests.support.rights import api_of, undone
from tests.support.route_cases import BODIES, address, body_of, make_world

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


def test_the_answer_with_a_row_has_all_its_fields():
    """Typed clients ask their users to handle the absence of any other."""
    components = _schema()["components"]["schemas"]
    rows = [name for name in components if f"{name}Request" in components or f"Patched{name}" in components]
    assert {"Device", "Fleet", "Geofence", "Preference", "Rule"} <= set(rows)
    for name in rows:
        fields = components[name]["properties"]
        assert set(components[name]["required"]) == {one for one in fields if not fields[one].get("writeOnly")}, name


def test_an_area_is_text_in_bodies_only():
    components = _schema()["components"]["schemas"]
    kinds = [components[name]["properties"]["area"] for name in ("Geofence", "GeofenceRequest", "PatchedGeofence")]
    assert [one.get("type") for one in kinds] == ["object", None, None]
    assert [len(one.get("oneOf", ())) for one in kinds] == [0, 2, 2]


def test_a_component_is_not_named_as_a_field_of_another_one():
    """openapi-generator names the values of `Command.way` CommandWayEnum."""
    components = _schema()["components"]["schemas"]
    names = {
        name + "".join(part.capitalize() for part in field.split("_")) + "Enum"
        for name, component in components.items()
        for field, one in component.get("properties", {}).items()
        if len(one.get("oneOf", ())) > 1
    }
    assert names & set(components) == set()


def test_a_text_that_may_be_empty_is_one_string():
    """Of two alternatives that are strings, generated clients check the pattern of the first one for both."""
    components = _schema()["components"]["schemas"]
    number = components["DeviceAccess"]["properties"]["phone_number"]
    assert number["type"] == "string"
    valid = jsonschema.Draft4Validator({"type": number["type"], "pattern": number["pattern"]}).is_valid
    assert [valid("+5511999990000"), valid(""), valid("11 9999")] == [True, True, False]
    assert "oneOf" not in components["PatchedDeviceAccess"]["properties"]["password"]


def test_no_answer_has_a_field_that_it_does_not_describe(fleet, staff, media):
    """Of right bodies, and of wrong ones."""
    world, client, schema = make_world(fleet, staff), api_of(staff), _schema()
    components = schema["components"]["schemas"]
    found = set()
    for method, route in BODIES:
        described = schema["paths"][re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route)][method.lower()]["responses"]
        for body in (body_of(method, route, world), {"devices": [{}]}, {}):
            with undone():
                answer = client.generic(method, address(route, world), json.dumps(body), "application/json")
            content = described[str(answer.status_code)]["content"]["application/json"]["schema"]
            found |= {(method, route, name) for name in _undescribed(answer.json(), content, components)}
    assert found == set()


def _undescribed(value: Any, schema: dict[str, Any], components: dict[str, Any]) -> set[str]:
    """Return the names of fields in a JSON value that its schema does not have."""
    if name := schema.get("$ref"):
        return _undescribed(value, components[name.rpartition("/")[2]], components)
    if "oneOf" in schema:
        return min((_undescribed(value, one, components) for one in schema["oneOf"]), key=len)
    if isinstance(value, list):
        return set().union(*(_undescribed(one, schema.get("items", {}), components) for one in value))
    if not isinstance(value, dict) or "properties" not in schema:
        return set()
    inside = (_undescribed(one, schema["properties"].get(name, {}), components) for name, one in value.items())
    return (value.keys() - schema["properties"].keys()).union(*inside)


def test_its_page_loads_nothing_from_other_hosts():
    page = Client().get("/api/docs/").content.decode()
    assert "swagger-ui" in page
    assert re.findall(r'(?:src|href)="(?:https?:)?//', page) == []


def test_it_describes_the_windows_of_a_week():
    components = _schema()["components"]["schemas"]
    for name in ("Geofence", "Rule"):
        windows = components[name]["properties"]["windows"]
        jsonschema.validate(windows["example"], {key: windows[key] for key in ("type", "items")})
        assert set(windows["items"]["properties"]) == {"days", "from", "to"}
