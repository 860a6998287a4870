"""Two people who edit one thing at the same time: neither takes back, without a word, what the other entered."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.db import models
from django.test import Client, RequestFactory
from django.urls import reverse
from django_q.models import Schedule

from notifications_app.models import Rule
from reports_app.models import ReportSchedule
from tasks_app.admin.model_admin import ModelAdmin
from tasks_app.models import Device, DeviceAccess, FleetMembership, FleetRole, SavedCommand
from tasks_app.services.rows import hold_row
from tasks_app.services.schedules import save_schedule
from tasks_app.web import versions
from tests.support.page_forms import inputs_of
from tests.support.route_cases import ensure_row, make_world, member

pytestmark = pytest.mark.django_db
REFUSED = "changed by another person"
# Their pages are not Django's form of a row.
OTHER_PAGES = {"django_q.Schedule", "knox.AuthToken", "reports_app.Report", "tasks_app.Job"}


def edited_models() -> list[type[models.Model]]:
    """The models whose rows the admin may have a form for."""
    found = [model for model, shown in admin.site._registry.items() if isinstance(shown, ModelAdmin)]
    return [model for model in found if model._meta.label not in OTHER_PAGES]


@pytest.fixture
def rows(fleet, operator):
    return make_world(fleet, operator)


@pytest.fixture
def manager(make_user, fleet) -> Client:
    client = Client()
    client.force_login(member(make_user, fleet, FleetRole.MANAGER))
    return client


def address_of(row: models.Model) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def sent_of(row: models.Model, page: Any) -> dict[str, list[str]]:
    """Return the values that a browser sends of the row's form in the admin, on this page."""
    return inputs_of(page.content.decode(), f"{row._meta.model_name}_form")


def sent_by(client: Client, address: str) -> dict[str, list[str]]:
    """Return the values that a browser sends of the last form of a page."""
    return inputs_of(client.get(address).content.decode())


def is_refused(answer: Any) -> bool:
    return answer.status_code == 200 and REFUSED in answer.content.decode()


def fields_of(row: models.Model, user: Any) -> list[str]:
    """The names of the fields that a person may change in the admin."""
    request = RequestFactory().get("/")
    request.user = user
    shown = admin.site._registry[type(row)]
    if not shown.has_change_permission(request, row):
        return []
    form = shown.get_form(request, row, change=True)(instance=row)
    assert isinstance(form, versions.UnchangedMeanwhile)
    return [part.partition(":")[0] for part in form["version"].value().split()]


def change(row: models.Model, names: list[str]) -> str:
    """Give one of these fields another value; return its name, "" where none is of a kind that this knows."""
    for name in names:
        field = row._meta.get_field(name)
        value = getattr(row, name)
        if isinstance(field, models.BooleanField):
            other: Any = not value
        elif isinstance(field, models.IntegerField | models.FloatField) and value is not None:
            other = value + 1
        elif isinstance(field, models.CharField) and not field.choices:
            other = f"{value}x"
        else:
            continue
        type(row)._base_manager.filter(pk=row.pk).update(**{name: other})
        return name
    return ""


@pytest.mark.parametrize("model", edited_models(), ids=lambda model: model._meta.label_lower)
def test_the_admin_refuses_the_second_of_two_people_and_keeps_the_input(page, staff, rows, model):
    row = ensure_row(model)
    address = address_of(row)
    names = fields_of(row, staff)
    if not names:
        assert 'name="_save"' not in page.get(address).content.decode()
        return
    sent = sent_of(row, page.get(address))
    assert sent["version"] != [""]
    assert REFUSED not in page.post(address, sent).content.decode()
    sent = sent_of(row, page.get(address))
    name = change(row, names)
    assert name
    theirs = type(row)._base_manager.values_list(name, flat=True).get(pk=row.pk)
    answer = page.post(address, sent)
    assert is_refused(answer)
    assert type(row)._base_manager.values_list(name, flat=True).get(pk=row.pk) == theirs
    assert REFUSED not in page.post(address, sent_of(row, answer)).content.decode()


def test_it_names_what_the_other_person_changed(page, device):
    address = address_of(device)
    sent = sent_of(device, page.get(address))
    Device.objects.update(kind="truck", speed_limit_kph=77)
    assert (
        "after you opened it: kind, speed limit (km/h). your input" in page.post(address, sent).content.decode().lower()
    )


def test_a_form_that_is_sent_twice_is_saved_twice(page, fleet, device, operator):
    Rule.objects.create(name="Alarms", fleet=fleet, event_kinds=["alarm"], channels=["in_app"], roles=["operator"])
    changes: dict[models.Model, dict[str, Any]] = {
        device: {"name": "Mine", "kind": "truck", "is_active": []},
        fleet: {"name": "Mine", "memberships-0-role": "manager"},
        Rule.objects.get(): {"name": "Mine", "devices": [str(device.pk)], "channels": ["in_app", "email"]},
    }
    for row, values in changes.items():
        address = address_of(row)
        sent = {**sent_of(row, page.get(address)), **values}
        assert [page.post(address, sent).status_code for _ in range(2)] == [302, 302]
        assert type(row)._base_manager.get().name == "Mine"


def test_a_schedule_and_a_saved_command_that_are_sent_twice_are_saved_twice(page, staff, rows):
    schedule = save_schedule(Schedule(func="cleanup_old_events", schedule_type="D", name="Nightly"), user=staff)
    address = address_of(schedule)
    sent = {**sent_by(page, address), "when-name": "Mine", "arg-days_to_keep": "44", "when-time_zone": "Asia/Tokyo"}
    assert [page.post(address, sent).status_code for _ in range(2)] == [302, 302]
    saved = SavedCommand.objects.create(name="Often", type="position_interval", parameters={"interval_seconds": 60})
    address = address_of(saved)
    sent = sent_of(saved, page.get(address))
    parameter = next(name for name, value in sent.items() if value == ["60"])
    assert [page.post(address, {**sent, parameter: "90"}).status_code for _ in range(2)] == [302, 302]
    saved.refresh_from_db()
    assert saved.parameters == {"interval_seconds": 90}
    assert is_refused(page.post(address, {**sent, parameter: "120"}))


def test_a_row_that_was_deleted_meanwhile_is_not_made_again(page, device, monkeypatch):
    address = address_of(device)
    sent = sent_of(device, page.get(address))
    monkeypatch.setattr(versions, "hold_row", lambda row: hold_row(Device(pk=row.pk + 1)))
    assert "deleted by another person" in page.post(address, sent).content.decode()


def test_a_program_without_a_version_is_not_refused(page, device):
    address = address_of(device)
    sent = sent_of(device, page.get(address))
    Device.objects.update(name="Theirs")
    assert page.post(address, {**sent, "name": "Mine", "version": ""}).status_code == 302
    assert Device.objects.get().name == "Mine"


@pytest.mark.parametrize("version", ["x", "name:", ":", "name", "🚚", "x" * 100_000, "name:1 name:2"])
def test_a_version_that_is_none_is_one_of_another_time(page, device, version):
    address = address_of(device)
    sent = sent_of(device, page.get(address))
    answer = page.post(address, {**sent, "name": "Mine", "version": version})
    assert is_refused(answer)


def test_the_role_of_a_member_that_another_person_changed_is_not_taken_back(page, operator, fleet):
    address = address_of(fleet)
    sent = sent_of(fleet, page.get(address))
    FleetMembership.objects.update(role=FleetRole.MANAGER)
    answer = page.post(address, sent)
    assert is_refused(answer)
    assert FleetMembership.objects.get().role == FleetRole.MANAGER
    again = sent_of(fleet, answer)
    assert page.post(address, again).status_code == 302
    assert FleetMembership.objects.get().role == FleetRole.OPERATOR


def test_the_arguments_of_a_schedule_that_another_person_changed_are_not_taken_back(page, staff):
    schedule = save_schedule(Schedule(func="cleanup_old_events", schedule_type="D", name="Nightly"), user=staff)
    address = address_of(schedule)
    sent = sent_by(page, address)
    # A run of the schedule is no change of it.
    Schedule.objects.update(repeats=7, next_run=schedule.next_run + timedelta(days=1))
    assert page.post(address, sent).status_code == 302
    sent = sent_by(page, address)
    Schedule.objects.update(name="Theirs")
    answer = page.post(address, sent)
    assert is_refused(answer)
    assert Schedule.objects.get().name == "Theirs"
    assert page.post(address, {**sent, "version": answer.context["page"].version}).status_code == 302
    assert Schedule.objects.get().name == "Nightly"


def test_the_arguments_that_another_person_changed_are_named_as_on_the_page(page, staff):
    schedule = save_schedule(Schedule(func="cleanup_old_events", schedule_type="D", name="Nightly"), user=staff)
    sent = sent_by(page, address_of(schedule))
    Schedule.objects.update(kwargs='{"days_to_keep": 7}')
    answer = page.post(address_of(schedule), sent)
    assert is_refused(answer)
    assert "after you opened it: Arguments." in answer.content.decode()


def test_a_schedule_that_is_refused_for_another_reason_keeps_the_version_of_its_input(page, staff):
    schedule = save_schedule(Schedule(func="cleanup_old_events", schedule_type="D", name="Nightly"), user=staff)
    sent = sent_by(page, address_of(schedule))
    Schedule.objects.update(name="Theirs")
    wrong = {"when-name": "Theirs", "when-schedule_type": "C", "when-cron": "0 0 30 2 *"}
    answer = page.post(address_of(schedule), {**sent, **wrong})
    assert answer.status_code == 200
    assert inputs_of(answer.content.decode())["version"] == sent["version"]


def test_the_settings_of_a_device_on_its_page_are_not_taken_back(manager, device):
    DeviceAccess.objects.create(device=device, protocol="gt06")
    address = reverse("pages:device_settings", args=[device.pk])
    for rows, values in (
        (Device.objects, {"name": "Theirs"}),
        (DeviceAccess.objects, {"phone_number": "+5511999990000"}),
    ):
        sent = sent_by(manager, address)
        rows.update(**values)
        answer = manager.post(address, sent)
        assert is_refused(answer)
        assert rows.filter(**values).exists()
        assert manager.post(address, inputs_of(answer.content.decode())).status_code == 302


def test_a_report_schedule_on_its_page_is_not_taken_back(manager, rows):
    address = reverse("pages:report_schedule", args=[rows["report_schedule_id"]])
    sent = sent_by(manager, address)
    ReportSchedule.objects.update(name="Theirs")
    answer = manager.post(address, sent)
    assert is_refused(answer)
    assert ReportSchedule.objects.get().name == "Theirs"
