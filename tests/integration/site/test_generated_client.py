"""A typed Python client, generated from the schema, against the running server."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from django.utils import timezone
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer

from tasks_app.models import Device, FleetMembership, FleetRole
from tasks_app.services.accounts import issue_token

pytestmark = pytest.mark.django_db(transaction=True)
PACKAGE = "tracker_task_api_client"


@pytest.fixture(scope="module")
def package(tmp_path_factory) -> str:
    """The name of the generated package, which can be imported."""
    folder: Path = tmp_path_factory.mktemp("client")
    schema = folder / "schema.json"
    schema.write_bytes(OpenApiJsonRenderer().render(SchemaGenerator().get_schema(request=None, public=True)))
    config = folder / "config.yml"
    config.write_text(json.dumps({"post_hooks": [], "package_name_override": PACKAGE}))
    subprocess.run(
        [
            Path(sys.executable).with_name("openapi-python-client"), "generate", "--meta", "none", "--fail-on-warning",
            "--path", schema, "--config", config, "--output-path", folder / PACKAGE,
        ],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    sys.path.insert(0, str(folder))
    yield PACKAGE
    sys.path.remove(str(folder))


def test_it_makes_lists_and_reads_devices_and_gets_errors_as_types(package, live_server, fleet, make_user):
    def load(name: str):
        return importlib.import_module(f"{package}.{name}")

    user = make_user()
    FleetMembership.objects.create(user=user, fleet=fleet, role=FleetRole.MANAGER)
    token = issue_token(user=user, now=timezone.now())[0]
    models = load("models")
    # Left open, its connection would keep one of the server's to the database.
    with load("client").AuthenticatedClient(base_url=live_server.url, token=token, prefix="Token") as client:
        create = load("api.fleet.devices_create")
        body = models.DeviceRequest(fleet_id=fleet.pk, unique_id="v-1", name="Van")
        made = create.sync(client=client, body=body, idempotency_key="once")
        assert isinstance(made, models.Device), made
        again = create.sync_detailed(client=client, body=body, idempotency_key="once")
        assert again.headers["Idempotency-Replayed"] == "true"
        assert Device.objects.get().name == made.name == "Van"

        page = load("api.fleet.devices_list").sync(client=client, ordering=models.DevicesListOrdering.NAME, limit=10)
        assert isinstance(page, models.DevicePage)
        assert [(one.id, one.unique_id) for one in page.results] == [(made.id, "v-1")]

        missing = load("api.fleet.devices_retrieve").sync(made.id + 1, client=client)
        assert isinstance(missing, models.Error)
        assert missing.code == "not_found"
