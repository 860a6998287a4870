"""The content security policy of every answer, and /.well-known/security.txt."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from tasks_app.models import FleetRole
from tasks_app.web.content_policy import NO_SOURCES, page_policy, style_hashes
from tasks_app.web.security_contact import contact_text
from tests.integration.accounts.test_page_rights import PAGES, page_patterns
from tests.support.route_cases import address, make_world, member, operations

pytestmark = pytest.mark.django_db
PLAIN = page_policy()


def policy_of(client: Client, path: str) -> tuple[bool, str]:
    """Whether the answer is a page, and its policy."""
    answer = client.get(path)
    return answer.headers.get("Content-Type", "").startswith("text/html"), answer.headers["Content-Security-Policy"]


def test_every_route_says_what_a_page_may_do(client, staff, fleet, make_user):
    world = make_world(fleet, member(make_user, fleet, FleetRole.MANAGER))
    client.force_login(staff)
    paths = [address(route, world) for method, route, _view in operations() if method == "GET"]
    paths += [
        reverse(f"pages:{name}", kwargs={one: world.get(one, "none") for one in pattern.pattern.converters})
        for name, pattern in page_patterns().items()
        if name in PAGES
    ]
    paths += [reverse(f"admin:{one._meta.app_label}_{one._meta.model_name}_changelist") for one in admin.site._registry]
    paths += [
        "/health",
        "/health/live",
        "/api/docs/",
        "/api/docs/?script=",
        "/nowhere",
        "/api/nowhere",
        "/static/nowhere.js",
    ]
    found = {path: policy_of(client, path) for path in paths}
    assert {path for path, (is_page, policy) in found.items() if policy != (PLAIN if is_page else NO_SOURCES)} == set()
    assert sum(is_page for is_page, _policy in found.values()) > 50


def test_the_policy_of_pages_allows_nothing_inline_and_no_eval():
    assert "unsafe" not in PLAIN
    assert "nonce" not in PLAIN, "nothing stands in a page that would need one"
    assert "script-src 'self';" in PLAIN
    assert "script" not in NO_SOURCES


def test_styles_of_an_e_mail_are_allowed_by_their_hashes_and_no_others():
    once = '<p style="margin:0;content:&quot;x&quot;">Text</p>'
    document = f"<style>\n.a {{ color: red }}\n</style>{once}{once}"
    hashes = style_hashes(document)
    assert len(hashes) == 2
    policy = page_policy(styles=hashes)
    assert "'unsafe-hashes'" in policy
    assert "unsafe-inline" not in policy
    assert all(f"'{each}'" in policy for each in hashes)
    assert len(page_policy(styles=style_hashes("".join(f'<p style="margin:{n}px">' for n in range(5000))))) < 6000


# --- security.txt ---


def test_without_a_contact_there_is_no_security_txt(client, settings):
    settings.SECURITY_CONTACTS = []
    assert client.get("/.well-known/security.txt").status_code == 404


def test_security_txt_names_the_contacts_of_the_setting(client, settings):
    settings.SECURITY_CONTACTS = ["mailto:security@example.org", "https://example.org/report"]
    answer = client.get("/.well-known/security.txt")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    lines = answer.content.decode().splitlines()
    assert lines[:2] == ["Contact: mailto:security@example.org", "Contact: https://example.org/report"]
    assert client.post("/.well-known/security.txt").status_code == 405


def test_its_end_is_in_the_future_and_a_line_break_adds_no_field(settings):
    settings.SITE_URL = "https://tracker.example.org/"
    text = contact_text(
        ["mailto:a@example.org\nPolicy: https://evil.example", " "], datetime(2026, 1, 1, 12, tzinfo=UTC)
    )
    assert text == (
        "Contact: mailto:a@example.org\nExpires: 2026-01-31T00:00:00Z\nPreferred-Languages: en, pt-br\n"
        "Canonical: https://tracker.example.org/.well-known/security.txt\n"
    )
