"""Requests made from the schema: no answer is a fault of the server, and every answer is one that the schema describes.

`make bench NAME=api` sends many more of them.
"""

from __future__ import annotations

import pytest
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction
from django.utils import timezone

from notifications_app.models import Destination
from notifications_app.services.destinations import add_destination
from tasks_app.models import Device
from tasks_app.services.accounts import issue_token
from tasks_app.services.devices import issue_key
from tests.support.route_cases import make_world
from trackerproject.dev.api_fuzz import fuzz

pytestmark = pytest.mark.django_db
EXAMPLES = 2


@pytest.fixture
def kept_connection():
    """A request does not close the connection that the test's transaction is on."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def no_limits(settings):
    settings.API_REQUESTS_PER_MINUTE = dict.fromkeys(settings.API_REQUESTS_PER_MINUTE, 0)
    settings.INGEST_REFUSALS_PER_MINUTE = settings.INGEST_DEVICE_PER_MINUTE = 10**9


def test_every_operation_keeps_to_its_schema(fleet, staff, no_limits, media, kept_connection):
    world = make_world(fleet, staff)
    # That of the world has no secrets, which no destination lacks that was made as people make them.
    Destination.objects.all().delete()
    webhook = add_destination(user=staff, kind="webhook", name="Hook", url="https://hooks.example.org/tracker")
    world["destination_id"] = webhook.pk
    key = issue_key(device=Device.objects.get(pk=world["device_id"]))
    token = issue_token(user=staff, now=timezone.now())[0]
    application = get_wsgi_application()

    def send(case):
        headers = {"X-Device-Key": key} if case.path.startswith("/ingest/") else {"Authorization": f"Token {token}"}
        with transaction.atomic():
            try:
                return case.call(app=application, base_url="http://testserver", headers=headers)
            finally:
                transaction.set_rollback(True)

    outcome = fuzz(send, examples=EXAMPLES, known=world)
    assert outcome.failures == []
    assert outcome.operations > 130
    assert outcome.requests > outcome.operations
