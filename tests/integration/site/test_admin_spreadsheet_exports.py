"""Tables out of the admin: no control character blocks an export, no text is a formula, and an import reads them again."""

from __future__ import annotations

import io
from uuid import uuid4

import openpyxl
import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from openpyxl.utils.escape import unescape

from tasks_app.models import Device, Event, EventKind, Geofence, Job
from tests.support.spreadsheets import CIRCLE, CSV, JSON, ODD, XLSX, imported, url


def exported_file(page: Client, model: str, format: str) -> bytes:
    form = page.get(url(model, "export")).context["form"]
    chosen = {name: "on" for name in form.fields if name not in ("resource", "format", "export_items")}
    answer = page.post(url(model, "export"), {"format": format, "resource": "0", **chosen})
    assert answer.status_code == 200
    return answer.content


@pytest.fixture
def odd_rows(make_device):
    device = make_device(unique_id="v", name=ODD, speed_limit_kph=90)
    Geofence.objects.create(fleet=device.fleet, name=ODD, area=CIRCLE)
    Event.objects.create(device=device, kind=EventKind.ALARM, occurred_at=timezone.now(), data={"alarm": ODD})
    now = timezone.now()
    Job.objects.create(
        id=uuid4(), task="send", queue="reports", state="failed", created_at=now, finished_at=now, args=[ODD], kwargs={},
        error_message="\x1b[31mred\x1b[0m " + "\U0001f69a" * 20_000,
    )  # fmt: skip


def cells(content: bytes) -> list[str]:
    sheet = openpyxl.load_workbook(io.BytesIO(content)).active
    return [str(cell.value) for row in sheet for cell in row]


@pytest.mark.parametrize("model", ["device", "geofence", "event"])
def test_a_control_character_blocks_no_export(page, odd_rows, model):
    texts = cells(exported_file(page, model, XLSX))
    assert any("Van\ufffd1 \ufffd\ufffd[31m\ufffd" in text for text in texts), texts
    assert any("_x0041_" in unescape(text) for text in texts)
    for format in (CSV, JSON):
        assert "Van" in exported_file(page, model, format).decode()


def test_a_control_character_blocks_no_export_of_jobs(page, odd_rows):
    for name in ("xlsx", "csv", "json"):
        answer = page.get(reverse("admin:tasks_app_job_export", args=[name]))
        assert answer.status_code == 200
        if name == "xlsx":
            (message,) = (text for text in cells(answer.content) if "red" in text)
            assert message.startswith("\ufffd[31mred")
            assert len(message.encode("utf-16-le")) // 2 <= 32_767


@pytest.mark.parametrize("name", ["xlsx", "csv", "json"])
def test_odd_values_block_no_export_of_jobs_and_none_is_a_formula(page, name):
    now = timezone.now()
    Job.objects.create(
        id=uuid4(), task="send", queue="reports", state="failed", created_at=now, finished_at=now,
        args=[2**70, -(10**30), "NaN", None], kwargs={"=1+1": 1e308}, error_class="=cmd|' /C calc'!A0", error_message="@SUM(1)",
    )  # fmt: skip
    answer = page.get(reverse("admin:tasks_app_job_export", args=[name]))
    assert answer.status_code == 200
    if name == "xlsx":
        book = openpyxl.load_workbook(io.BytesIO(answer.content)).active
        assert "f" not in {cell.data_type for row in book for cell in row}
    texts = cells(answer.content) if name == "xlsx" else answer.content.decode()
    assert "'=cmd|' /C calc'!A0" in texts
    assert str(2**70) in str(texts)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\uff1d", "\uff0b", "\uff0d", "\uff20", "'="])
def test_no_text_of_a_csv_file_begins_as_a_formula(page, make_device, start):
    make_device(unique_id="v", name=f"{start}1+cmd")
    assert f",'{start}1+cmd" in f",{exported_file(page, 'device', CSV).decode().replace(chr(34), '')}"


def test_formulas_stay_texts_and_numbers_numbers(page, make_device):
    for number, name in enumerate(("=1+1", "@SUM(A1)", "#N/A", "<r>bold</r>")):
        make_device(unique_id=f"0{number}", name=name, speed_limit_kph=80)
    sheet = openpyxl.load_workbook(io.BytesIO(exported_file(page, "device", XLSX))).active
    kinds = {cell.value: cell.data_type for row in sheet for cell in row}
    assert (kinds["'=1+1"], kinds["'@SUM(A1)"], kinds["#N/A"], kinds["<r>bold</r>"]) == ("s", "s", "s", "s")
    assert (kinds["00"], kinds[80]) == ("s", "n")


def test_what_went_out_comes_back_the_same(page, make_device):
    names = [
        "=1+1",
        "'=1+1",
        "''@x",
        "'",
        "\uff1d1+1",
        "-5",
        "_x0041_",
        "Caminh\u00e3o \U0001f69a",
        "007",
        "sep=;",
        "nan",
    ]
    for number, name in enumerate(names):
        make_device(unique_id=f"{number:03}", name=name)
    for format in (XLSX, CSV, JSON):
        content = exported_file(page, "device", format)
        Device.objects.all().delete()
        imported(page, content, format)
        assert list(Device.objects.order_by("unique_id").values_list("unique_id", "name")) == [
            (f"{number:03}", name) for number, name in enumerate(names)
        ]
