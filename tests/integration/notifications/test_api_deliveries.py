"""Destinations, tests and the delivery log through the API and the admin: one's own, and nobody else's."""

from __future__ import annotations

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from notifications_app.models import Delivery, DeliveryAttempt, Destination, Notification
from notifications_app.services.destinations.store import add_destination
from tasks_app.models import AuditEntry

URL = "https://hooks.example.org/t0ken-of-ana"


@pytest.fixture
def hook(operator) -> Destination:
    return add_destination(user=operator, kind="webhook", name="Office", url=URL)


@pytest.fixture
def failed_delivery(operator, hook) -> Delivery:
    written = Notification.objects.create(user=operator, kind="system", dedupe_key="x", subject="Hello", body_text="Hi")
    delivery = Delivery.objects.create(
        notification=written, channel="webhook", destination=hook, state="failed", attempt_count=1, last_error="500 no"
    )
    DeliveryAttempt.objects.create(
        delivery=delivery, number=1, outcome="failed", answer="500 no", started_at=timezone.now()
    )
    return delivery


@pytest.fixture
def charlies_api(charlie) -> APIClient:
    client = APIClient()
    client.force_authenticate(charlie)
    return client


def test_a_webhooks_secret_is_shown_when_it_is_made_and_never_again(api):
    made = api.post("/api/destinations", {"kind": "webhook", "name": "Office", "url": URL}, format="json")
    assert made.status_code == 201
    body = made.json()
    assert body["signing_secret"].startswith("whsec_")
    assert body["address"] == "https://hooks.example.org/…"
    again = api.get(f"/api/destinations/{body['id']}").json()
    assert "signing_secret" not in again
    assert "t0ken" not in str(again) + str(api.get("/api/destinations").json())
    secret = api.post(f"/api/destinations/{body['id']}/signing-secret").json()["signing_secret"]
    assert secret != body["signing_secret"]
    assert Destination.objects.get().secrets == {"url": URL, "signing_secret": secret}


def test_a_secret_that_no_key_opens_is_not_replaced_and_said_to_be_unreadable(api):
    made = api.post("/api/destinations", {"kind": "webhook", "name": "Office", "url": URL}, format="json").json()
    Destination.objects.update(encrypted_secrets="of another server")
    answer = api.post(f"/api/destinations/{made['id']}/signing-secret")
    assert (answer.status_code, answer.json()["code"]) == (409, "unreadable")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"kind": "webhook", "name": "X", "url": "http://example.org"}, "url"),
        ({"kind": "webhook", "name": "X", "url": 5}, "url"),
        ({"kind": "webhook", "name": "X"}, "url"),
        ({"kind": "webhook", "name": "", "url": URL}, "name"),
        ({"kind": "webhook", "name": "Office", "url": URL}, "name"),
        ({"kind": "email", "name": "X", "url": "ana@example.org"}, "kind"),
        ({"kind": "apprise", "name": "X", "url": "syslog://"}, "url"),
        ({"kind": "webhook", "name": "X", "url": URL, "user": 1}, "user"),
    ],
)
def test_it_says_what_is_wrong_with_a_destination(body, field, api, hook):
    answer = api.post("/api/destinations", body, format="json")
    assert answer.status_code == 400
    assert field in answer.json()["fields"]
    assert Destination.objects.count() == 1


def test_a_destination_can_be_changed_switched_off_and_on_and_deleted(api, hook):
    path = f"/api/destinations/{hook.pk}"
    Destination.objects.update(is_enabled=False, disabled_reason="410 Gone", disabled_at=timezone.now())
    changed = api.patch(path, {"name": "New", "url": URL + "2", "is_enabled": True}, format="json").json()
    assert (changed["name"], changed["is_enabled"], changed["disabled_reason"]) == ("New", True, "")
    assert Destination.objects.get().secrets["url"] == URL + "2"
    assert api.patch(path, {"is_enabled": False}, format="json").json()["is_enabled"] is False
    assert api.patch(path, {"is_enabled": "no"}, format="json").status_code == 400
    assert api.patch(path, {"kind": "apprise"}, format="json").status_code == 400
    assert api.delete(path).status_code == 204
    assert not Destination.objects.exists()


def test_nobody_sees_or_uses_destinations_of_others_staff_neither(charlies_api, staff_api, hook):
    path = f"/api/destinations/{hook.pk}"
    for client in (charlies_api, staff_api):
        assert client.get("/api/destinations").json() == []
        assert client.get(path).status_code == client.delete(path).status_code == 404
        assert client.patch(path, {"name": "Mine"}, format="json").status_code == 404
        assert client.post(f"{path}/test").status_code == client.post(f"{path}/signing-secret").status_code == 404
    assert Destination.objects.get().name == "Office"


def test_tests_are_queued_and_limited(api, hook, settings):
    settings.CHANNEL_TESTS_PER_10_MINUTES = 2
    answer = api.post(f"/api/destinations/{hook.pk}/test")
    assert answer.status_code == 202
    assert Delivery.objects.get(pk=answer.json()["delivery_id"]).destination == hook
    assert api.post("/api/channels/email/test").status_code == 202
    refused = api.post("/api/channels/websocket/test")
    assert refused.status_code == 429
    assert refused.headers["Retry-After"]


@pytest.mark.parametrize("kind", ["in_app", "webhook", "nothing"])
def test_only_channels_that_reach_everybody_have_a_test_of_their_own(kind, api):
    assert api.post(f"/api/channels/{kind}/test").status_code == 404


def test_the_log_shows_every_attempt(api, failed_delivery):
    (listed,) = api.get("/api/deliveries").json()["results"]
    assert (listed["channel"], listed["state"], listed["user"], listed["last_error"]) == (
        "webhook", "failed", "ana", "500 no",
    )  # fmt: skip
    (attempt,) = api.get(f"/api/deliveries/{failed_delivery.pk}").json()["attempts"]
    assert (attempt["number"], attempt["outcome"], attempt["answer"]) == (1, "failed", "500 no")


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("state=failed", 1), ("state=sent", 0), ("channel=webhook", 1), ("channel=email", 0),
        ("notification_id=1000000", 0), ("user_id=1000000", 0),
    ],
)  # fmt: skip
def test_the_log_can_be_filtered(query, count, api, failed_delivery):
    assert len(api.get(f"/api/deliveries?{query}").json()["results"]) == count


def test_the_log_refuses_filters_that_mean_nothing(api):
    for query in ("state=nope", "notification_id=x", "colour=red", "cursor=zzz"):
        assert api.get(f"/api/deliveries?{query}").status_code == 400


def test_a_failed_delivery_is_tried_again_once(api, failed_delivery):
    path = f"/api/deliveries/{failed_delivery.pk}/retry"
    assert api.post(path).json()["state"] == "pending"
    conflict = api.post(path)
    assert (conflict.status_code, conflict.json()["state"]) == (409, "pending")


def test_others_deliveries_do_not_exist_but_for_staff_with_the_permission(charlies_api, make_user, failed_delivery):
    path = f"/api/deliveries/{failed_delivery.pk}"
    assert charlies_api.get("/api/deliveries").json()["results"] == []
    assert charlies_api.get(path).status_code == charlies_api.post(f"{path}/retry").status_code == 404
    clerk = make_user(is_staff=True)
    client = APIClient()
    client.force_authenticate(clerk)
    assert client.get(path).status_code == 404
    clerk.user_permissions.add(Permission.objects.get(codename="view_delivery"))
    client.force_authenticate(type(clerk).objects.get(pk=clerk.pk))
    assert client.get(path).status_code == 200


# --- The admin ---


@pytest.fixture
def admin_page(staff) -> Client:
    client = Client()
    client.force_login(staff)
    return client


def test_staff_add_a_destination_whose_secret_is_never_shown_again(admin_page, operator):
    form = {"user": operator.pk, "kind": "webhook", "name": "Office", "url": URL, "is_enabled": "on"}
    answer = admin_page.post(reverse("admin:notifications_app_destination_add"), form, follow=True)
    destination = Destination.objects.get()
    assert destination.secrets["url"] == URL
    assert destination.secrets["signing_secret"] in answer.content.decode()
    page = admin_page.get(reverse("admin:notifications_app_destination_change", args=[destination.pk])).content.decode()
    assert "t0ken" not in page
    assert destination.secrets["signing_secret"] not in page


def test_staff_see_what_is_wrong_with_an_address(admin_page, operator):
    form = {"user": operator.pk, "kind": "webhook", "name": "Office", "url": "http://10.0.0.1/", "is_enabled": "on"}
    answer = admin_page.post(reverse("admin:notifications_app_destination_add"), form)
    assert "begins with https" in answer.content.decode()
    assert not Destination.objects.exists()


def run_action(page: Client, model: str, action: str, row) -> str:
    url = reverse(f"admin:notifications_app_{model}_changelist")
    return page.post(url, {"action": action, "_selected_action": [row.pk]}, follow=True).content.decode()


def test_staff_send_tests_switch_on_and_try_again(admin_page, hook, failed_delivery):
    assert "was enqueued" in run_action(admin_page, "destination", "test", hook)
    assert Notification.objects.filter(kind="test", user=hook.user).count() == 1
    Destination.objects.update(is_enabled=False, disabled_reason="410")
    assert "410" in admin_page.get(reverse("admin:notifications_app_destination_changelist")).content.decode()
    run_action(admin_page, "destination", "switch_on", hook)
    hook.refresh_from_db()
    assert (hook.is_enabled, hook.disabled_reason) == (True, "")
    assert "1 delivery is tried again" in run_action(admin_page, "delivery", "try_again", failed_delivery)
    failed_delivery.refresh_from_db()
    assert failed_delivery.state == "pending"


def test_many_are_tried_again_as_quickly_as_one(admin_page, failed_delivery, django_assert_max_num_queries):
    user = failed_delivery.notification.user
    notified = Notification.objects.bulk_create(
        Notification(user=user, kind="test", dedupe_key=f"{n}") for n in range(30)
    )
    failed = [Delivery(notification=one, channel="email", state="failed", attempt_count=8) for one in notified]
    Delivery.objects.bulk_create(failed)
    with django_assert_max_num_queries(30):
        chosen = {"action": "try_again", "select_across": "1", "_selected_action": [failed_delivery.pk]}
        admin_page.post(reverse("admin:notifications_app_delivery_changelist"), chosen)
    tried = Delivery.objects.filter(state="pending")
    assert [one.attempts_forgiven for one in tried.filter(attempt_count=8)] == [8] * 30
    assert (
        LogEntry.objects.filter(user__username="staff").count() == AuditEntry.objects.filter(verb="retry").count() == 31
    )


def test_the_page_of_a_delivery_shows_its_attempts(admin_page, failed_delivery):
    page = admin_page.get(
        reverse("admin:notifications_app_delivery_change", args=[failed_delivery.pk])
    ).content.decode()
    assert page.count("500 no") >= 2


def test_actions_need_their_permission(make_user, hook, failed_delivery):
    clerk = make_user(is_staff=True)
    names = ["view_delivery", "view_destination"]
    clerk.user_permissions.set(Permission.objects.filter(codename__in=names))
    page = Client()
    page.force_login(clerk)
    run_action(page, "delivery", "try_again", failed_delivery)
    run_action(page, "destination", "test", hook)
    failed_delivery.refresh_from_db()
    assert failed_delivery.state == "failed"
    assert not Notification.objects.filter(kind="test").exists()
