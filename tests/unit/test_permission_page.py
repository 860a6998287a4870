"""One matrix of what the API, the admin and the tasks ask for: the documentation has it, and they agree."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.apps import apps
from django.contrib import admin

from trackerproject.dev.permission_page import admin_asks, api_operations, permission_page

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "permissions.md"
ASKED = [one for one in api_operations() if one.right.permission]


def test_it_is_what_the_documentation_has():
    assert permission_page() == PAGE.read_text(), "run: manage.py permissions > docs/reference/permissions.md"


@pytest.mark.parametrize("one", ASKED, ids=lambda one: f"{one.method} {one.route}")
def test_it_asks_for_the_same_in_the_api_as_in_the_admin(one):
    app_label, _, codename = one.right.permission.partition(".")
    verb, _, name = codename.partition("_")
    # Workers are no rows; positions and sessions have no page; what a page does to no row, nobody does there.
    page = admin.site._registry.get(apps.get_app_config(app_label).models.get(name))
    if page is not None:
        assert admin_asks(page, verb) in (one.right.permission, "nobody")
