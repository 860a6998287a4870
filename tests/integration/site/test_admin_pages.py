"""Every page of the admin opens, says only what it should, and only to those who may see it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_q.models import Failure, OrmQ, Schedule, Success
from knox.models import AuthToken

from notifications_app.models import NotificationPreference
from tasks_app.admin.model_admin import ModelAdmin
from tasks_app.models import DeviceState, Event, EventKind, Geofence, MaintenancePlan, Position
from tasks_app.services.partitions import ensure_partitions, forget_known_partitions
from tests.support.rights import undone

CIRCLE = {"type": "Circle", "coordinates": [-46.63, -23.55], "radius_meters": 400}
NOUNS = [
    ("tasks_app", "fleet"),
    ("tasks_app", "device"),
    ("tasks_app", "geofence"),
    ("tasks_app", "event"),
    ("tasks_app", "quarantinedfix"),
    ("tasks_app", "maintenanceplan"),
    ("tasks_app", "job"),
    ("notifications_app", "rule"),
    ("notifications_app", "notification"),
    ("notifications_app", "delivery"),
    ("notifications_app", "notificationpreference"),
    ("reports_app", "report"),
    ("django_q", "schedule"),
    ("auth", "user"),
    ("auth", "group"),
    ("knox", "authtoken"),
    ("axes", "accessattempt"),
    ("axes", "accesslog"),
]
# Rows that only the system writes.
READ_ONLY = {"event", "quarantinedfix", "notification", "delivery", "authtoken", "accessattempt", "accesslog"}


def staff_with(make_user, *codenames: str) -> Client:
    user: User = make_user(is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def busy_device(device, fleet):
    now = timezone.now()
    geofence = Geofence.objects.create(fleet=fleet, name="Depot", area=CIRCLE)
    DeviceState.objects.create(
        device=device, status="online", fix_time=now, latitude=1, longitude=2, speed_kph=42, geofence_ids=[geofence.pk]
    )
    # The test's transaction takes partitions with it when it rolls back.
    forget_known_partitions()
    ensure_partitions([now, now - timedelta(hours=2)])
    for second in range(60):
        at = now - timedelta(seconds=second)
        Position.objects.create(device=device, fix_time=at, received_at=now, latitude=1, longitude=second / 1000)
    yield device
    forget_known_partitions()


@pytest.mark.parametrize(("app", "model"), NOUNS)
def test_it_opens_every_list(page, app, model):
    assert page.get(reverse(f"admin:{app}_{model}_changelist")).status_code == 200


def impossible_filters():
    """A value that no column can have, for each filter by choices and hierarchy of dates of all lists."""
    for model, shown in admin.site._registry.items():
        columns = [model._meta.get_field(name) for name in shown.list_filter if hasattr(model, str(name))]
        names = {f"{column.name}__exact": "\0" for column in columns if column.choices}
        if shown.date_hierarchy:
            names[f"{shown.date_hierarchy}__year"] = "9" * 20
        for name, value in names.items():
            yield f"{model._meta.app_label}_{model._meta.model_name}", {name: value}


def test_it_shows_a_list_without_a_filter_that_cannot_be(page):
    tried = list(impossible_filters())
    assert len(tried) > 18
    for noun, query in tried:
        with undone():
            answer = page.get(reverse(f"admin:{noun}_changelist"), query)
        assert (answer.status_code, answer.headers.get("Location", "")[-4:]) == (302, "?e=1"), (noun, query)


def test_no_list_is_asked_about_columns_that_it_offers_no_filter_for(page):
    """Letter by letter, an address could ask for the hash of a password or key, and for what is encrypted."""
    asked = 0
    for model, shown in admin.site._registry.items():
        if not isinstance(shown, ModelAdmin) or type(shown).changelist_view is not ModelAdmin.changelist_view:
            continue
        for field in model._meta.concrete_fields:
            address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
            assert page.get(address, {f"{field.name}__startswith": "a"}).status_code == 400, field
            asked += 1
    assert asked > 100


@pytest.mark.parametrize(
    ("noun", "query"),
    [
        ("tasks_app_event", {"occurred_at__year": "2026", "occurred_at__month": "11", "device__id__exact": "7"}),
        (
            "tasks_app_event",
            {"occurred_at__gte": "2026-11-01T00:00Z", "device__fleet__id__exact": "1", "kind__exact": "alarm"},
        ),
        ("tasks_app_command", {"device__id__exact": "7"}),
        ("reports_app_report", {"device__id__exact": "7"}),
        ("notifications_app_rule", {"devices__id__exact": "7", "is_active__exact": "1"}),
        ("auth_user", {"groups__id__exact": "1", "is_staff__exact": "1"}),
    ],
)
def test_a_list_takes_the_filters_that_it_shows_and_those_of_links(page, noun, query):
    assert page.get(reverse(f"admin:{noun}_changelist"), query).status_code == 200


def test_it_finds_no_row_that_holds_what_no_text_can(page):
    asked = {"app_label": "tasks_app", "model_name": "fleetmembership", "field_name": "user", "term": "\0"}
    assert page.get(reverse("admin:autocomplete"), asked).json()["results"] == []


@pytest.mark.parametrize(("app", "model"), [noun for noun in NOUNS if noun[1] not in READ_ONLY and noun[1] != "job"])
def test_it_opens_every_form(page, app, model):
    assert page.get(reverse(f"admin:{app}_{model}_add"), follow=True).status_code == 200


@pytest.mark.parametrize(("app", "model"), [noun for noun in NOUNS if noun[1] in READ_ONLY])
def test_it_refuses_to_add_what_only_the_system_writes(page, app, model):
    assert page.get(reverse(f"admin:{app}_{model}_add")).status_code == 403


@pytest.mark.parametrize(("app", "model"), NOUNS)
def test_it_refuses_every_list_to_staff_without_the_permission(make_user, app, model):
    assert staff_with(make_user).get(reverse(f"admin:{app}_{model}_changelist")).status_code == 403


def test_it_sends_users_who_are_not_staff_to_the_log_in(client, charlie):
    client.force_login(charlie)
    answer = client.get(reverse("admin:index"))
    assert answer.status_code == 302
    assert "/login/" in answer["Location"]


def test_it_replaces_the_pages_of_django_q(db):
    assert type(admin.site._registry[Schedule]).__module__ == "tasks_app.admin.schedules.pages"
    assert not {Success, Failure, OrmQ} & set(admin.site._registry)


def test_every_action_of_ours_names_its_permission(db):
    for model_admin in admin.site._registry.values():
        for name in model_admin.actions or ():
            action = getattr(type(model_admin), name, None)
            assert getattr(action, "allowed_permissions", None), f"{model_admin}.{name}"


def test_it_shows_the_state_of_devices_in_the_list(page, busy_device, make_device):
    make_device(name="Silent van")
    text = page.get(reverse("admin:tasks_app_device_changelist")).content.decode()
    for expected in ("Van 1", "Online", "42 km/h", "Depot", "Silent van", "Unknown"):
        assert expected in text


def test_it_asks_as_many_queries_for_many_devices_as_for_one(
    page, busy_device, make_device, django_assert_max_num_queries
):
    for _ in range(20):
        DeviceState.objects.create(device=make_device(), geofence_ids=[1])
    with django_assert_max_num_queries(14):
        page.get(reverse("admin:tasks_app_device_changelist"))


@pytest.mark.parametrize(("status", "found"), [("online", "Van 1"), ("unknown", "Silent van")])
def test_it_filters_devices_by_status(page, busy_device, make_device, status, found):
    make_device(name="Silent van")
    answer = page.get(reverse("admin:tasks_app_device_changelist"), {"status": status})
    assert [device.name for device in answer.context["cl"].result_list] == [found]


def test_it_shows_the_latest_fifty_positions_of_a_device(page, busy_device):
    answer = page.get(reverse("admin:tasks_app_device_change", args=[busy_device.pk]))
    assert len(answer.context["positions"]) == 50
    assert "Latest positions" in answer.content.decode()


@pytest.mark.parametrize("object_id", ["0", "999999", "x", "9" * 40])
def test_it_survives_device_ids_that_are_none(page, object_id):
    assert page.get(f"/admin/tasks_app/device/{object_id}/change/").status_code in (302, 404)


@pytest.mark.parametrize(
    "area",
    [
        '{"type": "Circle", "coordinates": [-46.63, 95], "radius_meters": 400}',
        '{"type": "Circle", "coordinates": [-46.63, NaN], "radius_meters": 400}',
        '{"type": "Circle", "coordinates": [-46.63, -23.5], "radius_meters": 400, "note": NaN}',
        '{"type": "Circle", "coordinates": [-46.63, -23.5], "radius_meters": 400, "note": "\\u0000"}',
        '{"type": "Circle", "coordinates": [-46.63, -23.5], "radius_meters": 400, "note": "\\ud800"}',
        "[" * 100_000,
        "{}",
        "[]",
        "null",
        "Depot",
    ],
)
def test_it_refuses_areas_that_are_none_and_says_so(page, fleet, area):
    data = {"name": "Bad", "fleet": fleet.pk, "is_active": "on", "area": area}
    answer = page.post(reverse("admin:tasks_app_geofence_add"), data)
    assert answer.status_code == 200
    assert answer.context["adminform"].form.errors["area"]
    assert not Geofence.objects.exists()


def test_it_stores_a_geofence_and_draws_it(page, fleet):
    area = '{"type": "LineString", "coordinates": [[-46.7, -23.6], [-46.6, -23.5]], "width_meters": 80}'
    data = {"name": "Road", "fleet": fleet.pk, "is_active": "on", "area": area}
    assert page.post(reverse("admin:tasks_app_geofence_add"), data).status_code == 302
    text = page.get(reverse("admin:tasks_app_geofence_change", args=[Geofence.objects.get().pk])).content.decode()
    assert '<svg class="tk-sketch"' in text


def test_it_opens_events_and_maintenance_plans(page, device):
    event = Event.objects.create(
        device=device, kind=EventKind.OVERSPEED, occurred_at=timezone.now(), data={"speed_kph": 1}
    )
    plan = MaintenancePlan.objects.create(device=device, name="Oil", every_days=90, last_done_at=timezone.now())
    assert page.get(reverse("admin:tasks_app_event_change", args=[event.pk])).status_code == 200
    assert page.get(reverse("admin:tasks_app_maintenanceplan_change", args=[plan.pk])).status_code == 200


def test_it_refuses_a_maintenance_plan_without_an_interval(page, device):
    data = {
        "name": "Oil",
        "device": device.pk,
        "due_soon_percent": 90,
        "last_done_at_0": "2026-01-01",
        "last_done_at_1": "00:00:00",
        "last_done_odometer_meters": 0,
        "last_done_engine_seconds": 0,
    }
    answer = page.post(reverse("admin:tasks_app_maintenanceplan_add"), data)
    assert "at least one interval" in answer.content.decode()


def test_it_shows_no_part_of_an_api_token_and_revokes_it(page, staff):
    row, token = AuthToken.objects.create(user=staff)
    url = reverse("admin:knox_authtoken_changelist")
    text = page.get(url).content.decode()
    assert "staff" in text
    assert row.token_key not in text
    assert token not in text
    page.post(url, {"action": "revoke", "_selected_action": [row.pk]})
    assert not AuthToken.objects.exists()


def test_it_revokes_tokens_only_for_those_who_may_delete_them(make_user, staff):
    row, _ = AuthToken.objects.create(user=staff)
    client = staff_with(make_user, "view_authtoken")
    client.post(reverse("admin:knox_authtoken_changelist"), {"action": "revoke", "_selected_action": [row.pk]})
    assert AuthToken.objects.exists()


def test_it_shows_the_overview_without_jobs_to_those_who_may_see_devices_only(make_user, device):
    text = staff_with(make_user, "view_device").get(reverse("admin:index")).content.decode()
    assert "Devices: Unknown" in text
    assert "Jobs per minute" not in text


def test_it_links_to_no_other_host(page):
    text = page.get(reverse("admin:index")).content.decode()
    for attribute in ('src="http', 'href="http', 'src="//', 'href="//'):
        assert attribute not in text


def test_it_shows_events_in_words_on_the_clock_and_in_the_language_of_the_reader(page, staff, device):
    NotificationPreference.objects.create(user=staff, language="pt-br", time_zone="America/Sao_Paulo")
    Event.objects.create(
        device=device,
        kind=EventKind.OVERSPEED,
        occurred_at=datetime(2026, 11, 25, 2, 5, 9, tzinfo=UTC),
        data={"speed_kph": 105.8, "speed_limit_kph": 90.0},
    )
    answer = page.get(reverse("admin:tasks_app_event_changelist"))
    text = answer.content.decode()
    assert "24/11/2026 23:05:09" in text
    assert "UTC−3" in text
    assert "106 km/h · limite de 90 km/h" in text
    assert answer.headers["Content-Language"] == "pt-br"


def test_it_speaks_the_browsers_language_to_whoever_chose_none(page):
    answer = page.get(reverse("admin:index"), headers={"Accept-Language": "pt-BR"})
    assert answer.headers["Content-Language"] == "pt-br"


def test_a_zone_that_this_system_does_not_know_closes_no_page(page, staff):
    NotificationPreference.objects.create(user=staff, time_zone="America/Gone")
    assert page.get(reverse("admin:index")).status_code == 200
