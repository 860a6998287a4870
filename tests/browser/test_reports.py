"""A report asked for, watched while it is made, and downloaded: by staff and by a member at /, in both languages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from reports_app.models import Report, ReportState
from tests.browser.test_admin import PASSWORD, Visit, browser, visit, visit_of
from tests.support.cluster import running_cluster
from tests.support.reports import DAY, drive

__all__ = ["browser", "visit"]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("media")]
# A real worker starts first.
MILLISECONDS = 40_000
ENGLISH = {
    "language": "English",
    "ask": "Ask for report",
    "waits": "It waits for a worker.",
    "ready": "Ready",
    "custom": "Days of my choice",
    "too long": "A report covers at most 366 days.",
}
PORTUGUESE = {
    "language": "Português Brasileiro",
    "ask": "Pedir relatório",
    "waits": "Aguardando um worker.",
    "ready": "Pronto",
    "custom": "Dias à minha escolha",
    "too long": "Um relatório abrange no máximo 366 dias.",
}


@pytest.fixture
def media(settings, tmp_path) -> Path:
    settings.MEDIA_ROOT = tmp_path / "media"
    return settings.MEDIA_ROOT


@pytest.fixture
def member(browser, live_server, operator) -> Iterator[Visit]:
    """Ana, an operator, with a phone."""
    yield from visit_of(browser, live_server.url, width=360, color_scheme="dark")


def choose_language(page: Page, name: str) -> None:
    if name != "English":
        page.get_by_label("Language and time zone").first.click()
        page.get_by_role("button", name=name).first.click()
        expect(page.locator("html")).to_have_attribute("lang", "pt-br")


def choose_days(page: Page, words: dict[str, str], first: str, last: str) -> None:
    page.locator("[name=days]").select_option(label=words["custom"])
    page.locator("[name=first_day]").fill(first)
    page.locator("[name=last_day]").fill(last)


def watch_and_download(page: Page, words: dict[str, str], tmp_path: Path) -> str:
    """Return the CSV of the report whose page is open, which is made meanwhile; the page is not opened again."""
    expect(page.get_by_text(words["waits"])).to_be_visible()
    with running_cluster(tmp_path, "--name", "reports", "--workers", "1"):
        expect(page.get_by_text(words["ready"], exact=True).first).to_be_visible(timeout=MILLISECONDS)
    expect(page.get_by_text(words["waits"])).to_have_count(0)
    with page.expect_download() as started:
        page.get_by_role("link", name="CSV").click()
    return Path(started.value.path()).read_text(encoding="utf-8-sig")


@pytest.mark.parametrize("words", [ENGLISH, PORTUGUESE], ids=["en", "pt-br"])
def test_staff_ask_for_a_report_watch_it_and_download_it(visit, device, words, tmp_path):
    drive(device)
    visit.log_in()
    page = visit.page
    choose_language(page, words["language"])
    visit.open("admin:reports_app_report_add")
    expect(page.get_by_role("button", name="Save")).to_have_count(0)
    page.locator("[name=kind]").select_option("trips")
    page.locator(".field-device .select2-selection").click()
    page.locator(".select2-search__field").last.fill("Van 1")
    page.locator(".select2-results__option", has_text="Van 1").click()
    choose_days(page, words, "2024-01-01", "2026-03-02")
    page.get_by_role("button", name=words["ask"]).click()
    expect(page.get_by_text(words["too long"])).to_be_visible()
    page.locator("[name=first_day]").fill(f"{DAY:%Y-%m-%d}")
    page.get_by_role("button", name=words["ask"]).click()
    assert "11.132" in watch_and_download(page, words, tmp_path)
    assert Report.objects.get().state == ReportState.READY


@pytest.mark.parametrize("words", [ENGLISH, PORTUGUESE], ids=["en", "pt-br"])
def test_a_member_asks_for_a_report_watches_it_and_downloads_it_on_a_phone(member, device, words, tmp_path, operator):
    drive(device)
    page = member.page
    member.open("admin:login")
    page.fill("[name=username]", "ana")
    page.fill("[name=password]", PASSWORD)
    page.click("[type=submit]")
    choose_language(page, words["language"])
    member.open("pages:report_ask_kind", "trips")
    page.locator("input[name=devices][role=combobox]").fill("van")
    expect(page.locator("[role=listbox] [role=option]").first).to_contain_text("Van 1")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    # The tick is the choice: the empty field beside it must not hold the form up.
    expect(page.get_by_role("checkbox", name="Van 1")).to_be_checked()
    choose_days(page, words, "2024-01-01", "2026-03-02")
    page.get_by_role("button", name=words["ask"]).click()
    expect(page.get_by_text(words["too long"])).to_be_visible()
    page.locator("[name=first_day]").fill(f"{DAY:%Y-%m-%d}")
    page.get_by_role("button", name=words["ask"]).click()
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert "11.132" in watch_and_download(page, words, tmp_path)
    assert Report.objects.get().requested_by == operator
