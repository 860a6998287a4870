"""Static files have names with a hash, are compressed, and are cached for ever; pages lead past the side bar."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import unfold
from django.conf import settings
from django.contrib import admin
from django.contrib.staticfiles.storage import ManifestStaticFilesStorage
from django.urls import reverse

from tasks_app.models import Device
from tests.support.cluster import ROOT, environment
from trackerproject.checks import check_collected_files
from trackerproject.dev import collected_static
from trackerproject.file_storage import static_storage

# In a process of its own: settings are read once.
CHECK = """
import re
import django
django.setup()
from django.conf import settings
from django.templatetags.static import static
from django.test import Client
settings.ALLOWED_HOSTS = ["*"]
def show(name):
    address = static(name)
    answer = Client().get(address, headers={"Accept-Encoding": "gzip"})
    print(address, answer.status_code, answer.headers["Cache-Control"], answer.headers.get("Content-Encoding"))
show("tasks_app/components.css")
show("tasks_app/joined/map.js")
show("admin/js/vendor/jquery/jquery.js")
login = Client().get("/login/").content.decode()
print(*re.findall('(?:href|src)="(/static/[^"]+[.](?:css|js))"', login))
"""

# The menus of the header, the colours of the page, and what keeps a form from being sent twice.
COMMON = {"menus", "once", "theme"}


HASHED = "[0-9a-f]{12}"


def test_the_deployment_check_names_files_that_were_not_collected(settings, tmp_path):
    settings.HASHED_STATIC, settings.STATIC_ROOT = True, tmp_path
    settings.STORAGES = {**settings.STORAGES, "staticfiles": static_storage(is_hashed=True)}
    (warning,) = check_collected_files()
    count = int(warning.msg.partition(" ")[0])
    style = "tasks_app/components.css"
    manifest = {"version": ManifestStaticFilesStorage.manifest_version, "hash": "", "paths": {style: style}}
    (tmp_path / "staticfiles.json").write_text(json.dumps(manifest))
    settings.STORAGES = {**settings.STORAGES}
    (warning,) = check_collected_files()
    assert warning.msg.startswith(f"{count - 1} static files are not in STATIC_ROOT")


def test_hashed_files_are_joined_compressed_and_cached_for_ever_also_in_development(tmp_path):
    names = {
        "DEBUG": "1",
        "HASHED_STATIC": "1",
        "STATIC_ROOT": str(tmp_path),
        "DJANGO_SETTINGS_MODULE": "trackerproject.settings",
    }
    for command in (["manage.py", "collectstatic", "--noinput"], ["-c", CHECK]):
        done = subprocess.run(
            [sys.executable, *command],
            cwd=ROOT,
            env={**environment(), **names},
            capture_output=True,
            text=True,
            check=True,
        )
    *shown, of_a_page = done.stdout.splitlines()
    names = (
        r"tasks_app/components\.HASH\.css",
        r"tasks_app/joined/map\.HASH\.js",
        r"admin/js/vendor/jquery/jquery\.min\.HASH\.js",
    )
    for line, name in zip(shown, names, strict=True):
        address, status, *cache, encoding = line.split()
        assert re.fullmatch(f"/static/{name.replace('HASH', HASHED)}", address)
        assert (status, encoding) == ("200", "gzip")
        assert "immutable" in cache
    style, script = of_a_page.split()
    assert re.fullmatch(rf"/static/tasks_app/joined/pages\.{HASHED}\.css", style)
    assert re.fullmatch(rf"/static/tasks_app/joined/pages\.{HASHED}\.js", script)
    collected = (tmp_path / "tasks_app" / "joined" / Path(style).name).read_text()
    assert collected.index("--tk-page:") < collected.index(".tk-top")


def test_they_are_collected_again_only_after_one_changed(tmp_path, monkeypatch):
    assert not collected_static.is_collected(tmp_path)
    collected_static.mark_collected(tmp_path)
    assert collected_static.is_collected(tmp_path)
    monkeypatch.setattr(collected_static, "fingerprint", lambda: "another")
    assert not collected_static.is_collected(tmp_path)


@pytest.mark.parametrize(
    "name", ["admin:index", "admin:tasks_app_device_changelist", "admin:tasks_app_device_add", "live_map"]
)
def test_a_page_has_one_main_landmark_and_a_link_to_it(page, name):
    text = page.get(reverse(name)).content.decode()
    assert text.count("<main") == text.count("</main>") == 1
    assert text.index('href="#main-content"') < text.index('id="nav-sidebar"') < text.index('id="main-content"')


def test_pages_are_sent_compressed_and_answers_of_the_api_as_they_are(page, device):
    asked = {"Accept-Encoding": "gzip"}
    listed = page.get(reverse("admin:tasks_app_device_changelist"), headers=asked)
    assert listed.headers["Content-Encoding"] == "gzip"
    assert device.name in gzip.decompress(listed.content).decode()
    assert len(listed.content) < 30_000
    assert "Content-Encoding" not in page.get(reverse("api:devices"), headers=asked).headers
    assert "Content-Encoding" not in page.get(reverse("pages:home")).headers


def test_the_buttons_below_a_list_or_form_are_in_the_main_landmark(page, device):
    for name, part in (
        ("admin:tasks_app_device_changelist", "scrollable-top"),
        ("admin:tasks_app_device_add", "submit-row"),
    ):
        text = page.get(reverse(name)).content.decode()
        assert text.index("<main") < text.rindex(part) < text.index("</main>")


@pytest.mark.parametrize(
    ("name", "scripts"),
    [
        ("pages:home", []),
        ("pages:devices", []),
        ("pages:events", ["chosen_time"]),
        ("pages:preferences", []),
        ("pages:reports", []),
        ("admin:tasks_app_device_changelist", ["expressions", "labels", "reachable"]),
        ("admin:tasks_app_job_changelist", ["expressions", "keys", "labels", "live", "reachable", "search"]),
        ("admin:tasks_app_queues", ["expressions", "labels", "live", "reachable"]),
    ],
)
def test_a_page_loads_only_the_scripts_it_uses(page, name, scripts):
    loaded = re.findall(r'<script src="/static/tasks_app/([a-z_/]+)\.js"', page.get(reverse(name)).content.decode())
    assert sorted(set(loaded) - COMMON) == scripts


@pytest.mark.parametrize(
    ("name", "libraries"),
    [
        ("admin:index", set()),
        ("admin:tasks_app_event_changelist", set()),
        ("admin:tasks_app_device_changelist", set()),
        ("admin:tasks_app_device_add", {"jquery", "select2.full"}),
        ("admin:notifications_app_rule_add", {"jquery", "select2.full", "leaflet"}),
        ("live_map", {"leaflet"}),
    ],
)
def test_of_the_theme_and_of_django_a_page_of_the_admin_loads_what_it_uses(page, name, libraries):
    text = page.get(reverse(name)).content.decode()
    loaded = {Path(path).stem.removesuffix(".min") for path in re.findall(r'<script src="/static/([^"]+)"', text)}
    assert {"alpine", "htmx", "app"} <= loaded
    unused = {"xregexp", "urlify", "chart", "simplebar", "alpine.sort", "inlines"}
    assert loaded & (unused | {"jquery", "select2.full", "leaflet"}) == libraries
    assert "fonts/inter" not in text


def test_the_skeleton_of_admin_pages_has_the_blocks_of_the_themes():
    """A newer theme may have others."""
    theirs = Path(unfold.__file__).parent / "templates" / "unfold" / "layouts" / "skeleton.html"
    ours = ROOT / "templates" / "unfold" / "layouts" / "skeleton.html"
    names = [sorted(re.findall(r"{% block (\S+) %}", path.read_text())) for path in (theirs, ours)]
    assert names[0] == names[1]


def test_lists_of_the_admin_have_fifty_rows_to_a_page_and_that_of_devices_half_of_it(page, fleet):
    Device.objects.bulk_create(Device(fleet=fleet, unique_id=f"d-{n}", name=f"Van {n}") for n in range(60))
    answer = page.get(reverse("admin:tasks_app_device_changelist"))
    assert len(answer.context["cl"].result_list) == 25
    assert "p=2" in answer.content.decode()
    others = {rows.list_per_page for model, rows in admin.site._registry.items() if model is not Device}
    assert others == {50}


def test_the_log_in_page_has_a_main_landmark(client, db):
    assert client.get(reverse("admin:login")).content.decode().count("<main") == 1


def test_the_folder_of_static_files_is_no_part_of_the_repository():
    assert Path(settings.STATIC_ROOT).name in (ROOT / ".gitignore").read_text()
