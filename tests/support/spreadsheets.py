"""Tables for the import of the admin, and what it answers."""

from __future__ import annotations

import io

import openpyxl
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

CIRCLE = {"type": "Circle", "coordinates": [-46.63, -23.55], "radius_meters": 400}
CSV, XLSX, JSON = "0", "1", "2"
ODD = "Van\u000b1 \u0001\u001b[31m\ufffe _x0041_ <b>&"
HEAD = ["unique_id", "name", "fleet", "kind"]


def url(model: str, step: str) -> str:
    return reverse(f"admin:tasks_app_{model}_{step}")


def workbook(*rows) -> bytes:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def send(page: Client, content: bytes, format: str = XLSX, model: str = "device"):
    file = SimpleUploadedFile("rows", content)
    return page.post(url(model, "import"), {"import_file": file, "format": format, "resource": "0"})


def imported(page: Client, content: bytes, format: str = XLSX, model: str = "device") -> str:
    answer = send(page, content, format, model)
    assert answer.status_code == 200
    confirm = answer.context.get("confirm_form")
    if confirm is not None:
        page.post(url(model, "process_import"), confirm.initial)
    return answer.content.decode()
