"""Every page of the admin in Portuguese shares no text with its English twin but data, names and words alike in both."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import NoReverseMatch, reverse

from notifications_app.models import NotificationPreference
from tasks_app.engine.registry import registered_tasks
from tasks_app.ingest.trackers.registry import PROTOCOLS
from tasks_app.models import FleetRole
from tasks_app.models.device_access import relay_variant_choices
from tests.support.route_cases import ensure_row, make_world, member

pytestmark = pytest.mark.django_db
PAGES = sorted(admin.site._registry.values(), key=lambda page: page.opts.label_lower)
OTHERS = [
    "admin:index",
    "admin:password_change",
    "admin:tasks_app_job_start",
    "admin:tasks_app_device_import",
    "admin:tasks_app_device_export",
    "live_map",
    "trackers",
    "own_settings",
    "pages:home",
    "pages:devices",
    "pages:events",
    "pages:commands",
    "pages:geofences",
    "pages:trips",
    "pages:notifications",
    "pages:destinations",
    "pages:destination_add",
    "pages:preferences",
    "pages:password",
    "pages:access",
]
# Of rows that the tests make.
DATA = (
    "Of the fleet",
    "Depot North",
    "Depot",
    "Letter",
    "Mine",
    "Oil",
    "Rule",
    "plain",
    "a.csv",
    "<unknown>",
    "chefe",
    "staff",
    *(protocol.label for protocol in PROTOCOLS.values()),
)
# Names of products and formats, and words that Portuguese has taken over.
ALIKE = {word.lower() for word in (
    "Tracker", "Traccar", "OsmAnd", "OwnTracks", "GPSLogger", "Redis", "PostgreSQL",
    "CSV", "XLSX", "PDF", "JSON", "GPX", "KML", "GeoJSON", "HTML", "SMS", "SHA", "WKT", "UTC", "API",
    "Jobs", "Job", "Worker", "Workers", "Cron", "Chat", "push", "E-mail", "Webhook", "Links", "Online", "Normal",
    "Latitude", "Longitude", "Van", "Status", "Total", "esc", "hash", "salt", "Token", "Site", "Enter",
)}  # fmt: skip
# Queues and tasks, by the names they have in the shell and the API.
IDENTIFIER = re.compile(r"[A-Za-z0-9]+(_[a-z0-9]+)+(\(\))?|(positions|reports|cleanup|notifications)", re.IGNORECASE)
UNNAMED = re.compile(r"[\w.+-]+@[\w.]+|[Uu]ser\d+|[0-9a-f]{8}-[0-9a-f-]{27}|[A-Z]\w+/[A-Z]\w+|\b[KM]iB\b|\w+\*{6,}")
VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"}


class Texts(HTMLParser):
    """The texts that a reader sees or hears: between tags, and in attributes that are shown or read out."""

    SHOWN = ("placeholder", "title", "aria-label", "alt", "data-label")
    # Code and data of rows stand in these.
    SKIPPED = ("script", "style", "code", "pre", "textarea", "datalist")

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()
        self._skips: list[bool] = []

    def handle_starttag(self, tag, attributes):
        values = {name: value or "" for name, value in attributes}
        if tag not in VOID:
            is_foreign = values.get("lang", "en") != "en" or (tag == "button" and values.get("name") == "language")
            is_icon = "material-symbols" in values.get("class", "")
            self._skips.append(tag in self.SKIPPED or is_icon or (is_foreign and tag != "html"))
        self.found |= {values[name] for name in self.SHOWN if name in values}
        if values.get("type") in ("submit", "button"):
            self.found.add(values.get("value", ""))

    def handle_endtag(self, tag):
        if tag not in VOID and self._skips:
            self._skips.pop()

    def handle_data(self, data):
        if not any(self._skips):
            self.found.add(data)


def texts_of(client, address, language) -> set[str]:
    answer = client.get(address, headers={"Accept-Language": language}, follow=True)
    assert answer.status_code == 200, address
    parser = Texts()
    parser.feed(answer.content.decode())
    return {" ".join(text.split()) for text in parser.found}


def is_foreign(text: str) -> bool:
    """Whether words are left once data, names and words alike in both languages are taken out."""
    for data in DATA:
        text = re.sub(
            rf"(?<!\w){re.escape(data)}(?!\w)" if data[0].isalnum() else re.escape(data), "", text, flags=re.IGNORECASE
        )
    text = IDENTIFIER.sub("", UNNAMED.sub("", text))
    words = re.findall(r"[^\W\d_]+(?:-[^\W\d_]+)*", text)
    return any(len(word) > 2 and word.lower() not in ALIKE for word in words)


@pytest.fixture
def chief(make_user) -> Client:
    """A superuser who chose no language, and so reads in the browser's."""
    client = Client()
    client.force_login(make_user(username="chefe", is_staff=True, is_superuser=True))
    return client


def left_in_english(client, address) -> list[str]:
    # The tests' own tasks are registered, too, and described in English only.
    ours = {
        text
        for task in registered_tasks()
        if task.name.startswith("tests.") or task.function.__module__.startswith(("tests.", "trackerproject.dev."))
        for text in (task.summary, task.name)
    }
    # Bytes that trackers take, with the names of their makers.
    orders = {label for _name, label in relay_variant_choices()}
    alike = texts_of(client, address, "en") & texts_of(client, address, "pt-br")
    return sorted(filter(is_foreign, alike - ours - orders))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.opts.label_lower)
def test_the_pages_of_a_model_are_in_portuguese(page, chief, fleet, make_user):
    manager = member(make_user, fleet, FleetRole.MANAGER)
    make_world(fleet, manager)
    NotificationPreference.objects.create(user=manager)
    ensure_row(page.model)
    row = page.model._default_manager.first()
    for name in ("changelist", "add", "change", "delete", "history"):
        if name == "add" and not page.has_add_permission(_request(chief)):
            continue
        if name == "delete" and not page.has_delete_permission(_request(chief)):
            continue
        try:
            args = [row.pk] if name in ("change", "delete", "history") else []
            address = reverse(f"admin:{page.opts.app_label}_{page.opts.model_name}_{name}", args=args)
        except NoReverseMatch:
            continue
        assert left_in_english(chief, address) == [], address


def _request(client):
    return client.get(reverse("admin:index")).wsgi_request


@pytest.mark.parametrize("name", OTHERS)
def test_other_pages_are_in_portuguese(name, chief):
    assert left_in_english(chief, reverse(name)) == []


@pytest.mark.parametrize("name", ["admin:login", "unknown"])
def test_pages_for_visitors_are_in_portuguese(name, client, db):
    address = reverse(name) if name != "unknown" else "/nowhere"
    texts = [
        client.get(address, headers={"Accept-Language": language}).content.decode() for language in ("en", "pt-br")
    ]
    parsers = [Texts(), Texts()]
    for parser, text in zip(parsers, texts, strict=True):
        parser.feed(text)
    assert sorted(filter(is_foreign, parsers[0].found & parsers[1].found - {address})) == []


def test_every_permission_has_words_in_portuguese(chief):
    text = chief.get(reverse("admin:auth_group_add"), headers={"Accept-Language": "pt-BR"}).content.decode()
    assert "Can view" not in text
    assert text.count("Pode ver") == Permission.objects.filter(codename__startswith="view_").count()
