"""Import and export in the admin: by permission, row by row, without formulas, of bounded size."""

from __future__ import annotations

import csv
import io
import json

import pytest
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from tasks_app.models import Device, Event, EventKind, Fleet, Geofence, Job

CIRCLE = {"type": "Circle", "coordinates": [-46.63, -23.55], "radius_meters": 400}
CSV, XLSX, JSON = "0", "1", "2"


def url(model: str, step: str) -> str:
    return reverse(f"admin:tasks_app_{model}_{step}")


def exported_rows(page: Client, model: str, **query) -> list[dict[str, str]]:
    resource = page.get(url(model, "export")).context["form"]
    chosen = {name: "on" for name in resource.fields if name not in ("resource", "format", "export_items")}
    query_text = "&".join(f"{name}={value}" for name, value in query.items())
    answer = page.post(f"{url(model, 'export')}?{query_text}", {"format": CSV, "resource": "0", **chosen})
    assert answer.status_code == 200, answer
    assert answer["Content-Type"].startswith("text/csv"), answer.content[:2000]
    return list(csv.DictReader(io.StringIO(answer.content.decode())))


def imported(page: Client, model: str, rows: list[dict]) -> str:
    """Import, confirm where the rows are right, and return what the first page said."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    file = SimpleUploadedFile("rows.csv", text.getvalue().encode(), "text/csv")
    answer = page.post(url(model, "import"), {"import_file": file, "format": CSV, "resource": "0"})
    assert answer.status_code == 200
    confirm = answer.context.get("confirm_form")
    if confirm is not None:
        page.post(url(model, "process_import"), {key: confirm.initial[key] for key in confirm.initial})
    return answer.content.decode()


def test_devices_go_out_and_come_back(page, fleet, make_device):
    make_device(unique_id="van-1", name="=HYPERLINK(1)", speed_limit_kph=90, tank_liters=60)
    (row,) = exported_rows(page, "device")
    assert (row["name"], row["fleet"]) == ("'=HYPERLINK(1)", "Depot North")
    imported(page, "device", [{**row, "speed_limit_kph": "80"}, {**row, "unique_id": "van-2", "name": "Van 2"}])
    first, second = Device.objects.order_by("unique_id")
    assert (first.name, first.speed_limit_kph) == ("=HYPERLINK(1)", 80)
    assert (second.name, second.fleet, second.tank_liters) == ("Van 2", fleet, 60)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"fleet": "Nowhere"}, "There is no fleet"),
        ({"speed_limit_kph": "-5"}, "greater than or equal to"),
        ({"speed_limit_kph": "fast"}, "could not convert"),
        ({"name": ""}, "cannot be blank"),
        # Bounds take NaN, and the API's list of devices could not be written any more.
        ({"tank_liters": "nan"}, "is no finite number"),
        ({"overspeed_tolerance_kph": "NaN"}, "is no finite number"),
        ({"offline_after_minutes": "inf"}, "is no finite number"),
        ({"overspeed_tolerance_kph": "1_0"}, "“1_0” is no number"),
        ({"offline_after_minutes": "1.5"}, "“1.5” is no whole number"),
        ({"offline_after_minutes": "soon"}, "“soon” is no number"),
        # These were read as 1, and left aside.
        ({"tank_liters": "1,000"}, "“1,000” may be read in two ways"),
        ({"tank_litres": "60"}, "Unknown columns: tank_litres. There are"),
        ({"": "60", "tank_liters": "60"}, "Column 5 has no name"),
    ],
)
def test_a_wrong_row_says_why_and_nothing_is_stored(page, fleet, changes, words):
    row = {"unique_id": "van-9", "name": "Van 9", "fleet": "Depot North", "kind": "van", **changes}
    assert words.lower() in imported(page, "device", [row]).lower()
    assert not Device.objects.exists()
    assert Fleet.objects.count() == 1


def test_of_two_rows_about_one_thing_none_is_lost(page, fleet):
    """Equal ones lose nothing; of others nobody knows which was meant."""
    device = {"unique_id": "van-9", "name": "Van 9", "fleet": "Depot North", "kind": "van"}
    other = {**device, "unique_id": " van-9 ", "kind": "truck"}
    assert "Row 1 is about van-9 already" in imported(page, "device", [device, other])
    assert not Device.objects.exists()
    area = {"fleet": "Depot North", "name": "Yard", "area": json.dumps(CIRCLE), "tolerance_meters": "5"}
    assert "Row 1 is about Depot North / Yard already" in imported(
        page, "geofence", [area, {**area, "tolerance_meters": "6"}]
    )
    assert not Geofence.objects.exists()
    imported(page, "device", [device, device])
    assert Device.objects.get().kind == "van"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"tolerance_meters": "nan"}, "is no finite number"),
        ({"dwell_seconds": "1.5"}, "whole"),
        ({"windows": "{}"}, "list"),
    ],
)
def test_a_wrong_geofence_says_why(page, fleet, changes, words):
    row = {"fleet": "Depot North", "name": "Yard", "area": json.dumps(CIRCLE), **changes}
    assert words in imported(page, "geofence", [row])
    assert not Geofence.objects.exists()


def test_too_many_rows_are_refused(page, fleet, monkeypatch):
    monkeypatch.setattr("tasks_app.admin.resources.MAX_IMPORT_ROWS", 1)
    rows = [{"unique_id": f"van-{number}", "name": "Van", "fleet": "Depot North"} for number in range(2)]
    assert "at most 1 are taken" in imported(page, "device", rows)
    assert not Device.objects.exists()
    Device.objects.bulk_create(Device(unique_id=f"v{number}", name="Van", fleet=fleet) for number in range(2))
    monkeypatch.setattr("tasks_app.admin.exchange.MAX_EXPORT_ROWS", 1)
    answer = page.get(url("device", "export"), follow=True)
    assert "At most 1 rows are exported at once" in answer.content.decode()


def test_geofences_come_as_geojson_or_wkt(page, fleet):
    rows = [
        {"fleet": "Depot North", "name": "Depot", "area": json.dumps(CIRCLE)},
        {
            "fleet": "Depot North",
            "name": "Yard",
            "area": "POLYGON ((-46.6 -23.5, -46.5 -23.5, -46.5 -23.4, -46.6 -23.5))",
        },
    ]
    imported(page, "geofence", rows)
    assert Geofence.objects.get(name="Depot").area == CIRCLE
    assert Geofence.objects.get(name="Yard").area["type"] == "Polygon"
    found = {row["name"]: json.loads(row["area"]) for row in exported_rows(page, "geofence")}
    assert found["Depot"] == CIRCLE
    for wrong in ("POLYGON ((1 2))", '{"type": "Nonsense"}', "{", ""):
        imported(page, "geofence", [{"fleet": "Depot North", "name": "Wrong", "area": wrong}])
    assert not Geofence.objects.filter(name="Wrong").exists()


def test_times_of_the_week_come_along_with_their_geofence(page, fleet):
    nights = [{"days": [0, 4], "from": "22:00", "to": "06:00"}]
    Geofence.objects.create(fleet=fleet, name="Depot", area=CIRCLE, windows=nights)
    (row,) = exported_rows(page, "geofence")
    copies = {"Yard": row["windows"], "Always": "", "Wrong": '[{"days": [9]}]', "No list": "{"}
    for name, windows in copies.items():
        imported(page, "geofence", [{**row, "name": name, "windows": windows}])
    found = dict(Geofence.objects.values_list("name", "windows"))
    assert found == {"Depot": nights, "Yard": nights, "Always": []}


def test_events_are_exported_as_the_list_is_filtered(page, device):
    for kind in (EventKind.OVERSPEED, EventKind.ALARM):
        Event.objects.create(device=device, kind=kind, occurred_at=timezone.now(), data={"alarm": "=1+1"})
    (row,) = exported_rows(page, "event", kind__exact="alarm")
    assert (row["kind"], row["device__unique_id"]) == ("alarm", "van-1")
    with pytest.raises(Exception, match="tasks_app_event_import"):
        url("event", "import")


def test_ended_jobs_are_exported_with_what_was_redacted(page, run_jobs):
    now = timezone.now()
    Job.objects.create(
        id="5d8b6a0e-7f0b-4f0c-9f0e-2b1f5a3c7d21", task="send", queue="reports", state="failed", created_at=now,
        finished_at=now, args=[], kwargs={"password": "***"}, error_message="=cmd|' /C calc'!A0",
    )  # fmt: skip
    place = reverse("admin:tasks_app_job_export", args=["csv"])
    (row,) = csv.DictReader(io.StringIO(page.get(f"{place}?state=failed").content.decode()))
    assert (row["error_message"][0], "***" in row["kwargs"]) == ("'", True)
    assert list(csv.DictReader(io.StringIO(page.get(f"{place}?state=succeeded").content.decode()))) == []
    assert page.get(reverse("admin:tasks_app_job_export", args=["exe"])).status_code == 404


def test_importing_needs_the_rights_to_add_and_to_change(client, make_user, fleet):
    user = make_user(is_staff=True)
    client.force_login(user)
    for codenames, may_export, may_import in [
        ((), 403, 403),
        (("view_device",), 200, 403),
        (("view_device", "add_device"), 200, 403),
        (("view_device", "add_device", "change_device"), 200, 200),
    ]:
        user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        assert client.get(url("device", "export")).status_code == may_export
        assert client.get(url("device", "import")).status_code == may_import


def test_the_page_of_a_device_leads_to_the_export_of_its_positions(page, device):
    shown = page.get(reverse("admin:tasks_app_device_change", args=[device.pk])).content.decode()
    assert f"?kind=detailed&amp;device={device.pk}" in shown
    form = page.get(reverse("admin:reports_app_report_add"), {"kind": "detailed", "device": device.pk}).content.decode()
    assert "Van 1" in form
