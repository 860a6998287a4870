"""An empty list says what belongs there and how it comes; a search without results says that it is one."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.urls import reverse

from tasks_app.web.empty_pages import empty_hint

pytestmark = pytest.mark.django_db
# Lists with a page of their own, and those that are never empty for their readers.
OTHERS = {"tasks_app.job", "tasks_app.storagesample", "tasks_app.retentionsettings", "auth.user"}


def test_every_list_has_a_text_for_when_it_is_empty():
    models = {page.opts.label_lower for page in admin.site._registry.values()} - OTHERS
    assert {model for model in models if not empty_hint(model)} == set()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("tasks_app_device", "Vehicles, phones and trackers that send positions."),
        ("notifications_app_rule", "Who is notified of which events"),
        ("reports_app_report", "Ask for the first one."),
    ],
)
def test_an_empty_list_says_what_belongs_there(page, name, text):
    shown = page.get(reverse(f"admin:{name}_changelist")).content.decode()
    assert text in shown
    assert f'href="{reverse(f"admin:{name}_add")}' in shown


def test_a_search_without_results_leads_back_to_all(page, device):
    shown = page.get(reverse("admin:tasks_app_device_changelist"), {"q": "</script>🚚" + "x" * 5000}).content.decode()
    assert "Nothing matches" in shown
    assert "Vehicles, phones" not in shown
