"""The groups that migrations make: every permission is named, means something, and opens the pages it should."""

from __future__ import annotations

import itertools

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.urls import NoReverseMatch, reverse

from tasks_app.ingest.trackers.command_types import COMMAND_TYPES
from tasks_app.queries.access import OVERRIDE_COMMAND_SAFETY
from tasks_app.queries.commands import rights_to_send
from tests.support.rights import pages_of
from trackerproject.dev.permission_page import VERBS, admin_asks, admin_pages, api_operations, product_tasks
from trackerproject.staff_groups import (
    FIRST_GROUPS,
    GROUPS,
    first_groups,
    give_permissions_of,
    make_groups,
    permissions_of,
)

pytestmark = pytest.mark.django_db
PAGES = admin_pages()
ADVICE = "name it in trackerproject/staff_groups.py and give it in a migration (docs/howto.md, A model)"


@pytest.fixture
def groups(db) -> dict[str, Group]:
    """As on a new installation, by letter."""
    make_groups(apps, None)
    return {letter: Group.objects.get(name=name) for letter, name in GROUPS.items()}


def names_of(group: Group) -> set[str]:
    rows = group.permissions.values_list("content_type__app_label", "codename")
    return {f"{label}.{codename}" for label, codename in rows}


def installed() -> set[str]:
    rows = Permission.objects.values_list("content_type__app_label", "codename")
    return {f"{label}.{codename}" for label, codename in rows if label not in ("probe",)}


def asked_for() -> set[str]:
    """Every permission that an address of the API, a page of the admin, a part of one, or a task asks for."""
    found = {one.right.permission for one in api_operations()} | {task.permission for task in product_tasks()}
    # Beside the right of the operation, by what the command is.
    found |= {right.permission for name in COMMAND_TYPES for right in (*rights_to_send(name), OVERRIDE_COMMAND_SAFETY)}
    for page in PAGES:
        found |= {admin_asks(page, verb) for verb in VERBS}
        for inline in (one(page.model, admin.site) for one in page.inlines):
            found |= {admin_asks(inline, verb) for verb in VERBS if verb != "delete" or inline.can_delete}
    return {name for name in found if name and "." in name}


def test_the_table_names_every_permission_once():
    assert {name for name, _letter in first_groups()} == installed(), ADVICE


def test_each_group_has_what_the_table_says(groups):
    for letter, group in groups.items():
        assert names_of(group) == permissions_of(letter)


def test_each_group_has_all_of_those_before_it(groups):
    held = [names_of(groups[letter]) for letter in GROUPS]
    assert all(less < more for less, more in itertools.pairwise(held))
    assert all(".view_" in name for name in held[0])


def test_administrators_have_every_permission_that_is_asked_for():
    assert asked_for() - permissions_of("A") == set()


def test_no_group_has_a_permission_that_nothing_asks_for():
    assert permissions_of("A") - asked_for() == set()


def test_making_them_again_takes_nothing_away(groups):
    own = Permission.objects.get(codename="delete_position")
    groups["R"].permissions.add(own)
    make_groups(apps, None)
    assert own in groups["R"].permissions.all()


def test_permissions_on_a_new_model_go_to_the_groups_that_still_exist(groups):
    for group in groups.values():
        group.permissions.filter(content_type__model="geofence").delete()
    groups["O"].delete()
    give_permissions_of("tasks_app.geofence")(apps, None)
    assert names_of(groups["R"]) == permissions_of("R")
    assert names_of(groups["F"]) == permissions_of("F")
    assert not Group.objects.filter(name=GROUPS["O"]).exists()


@pytest.mark.parametrize("letter", GROUPS)
def test_a_member_of_the_group_opens_the_pages_it_should_and_no_other(letter, groups, make_user):
    user = make_user(is_staff=True)
    user.groups.add(groups[letter])
    client, held = pages_of(user), permissions_of(letter)
    for page in PAGES:
        for verb, name in (("view", "changelist"), ("add", "add")):
            try:
                address = reverse(f"admin:{page.opts.app_label}_{page.opts.model_name}_{name}")
            except NoReverseMatch:
                continue
            asked = {admin_asks(page, verb)} | ({admin_asks(page, "change")} if verb == "view" else set())
            status = client.get(address, follow=True).status_code
            assert status == (200 if asked & held else 403), f"{page.opts.label_lower} {verb}"


def test_every_model_of_the_table_exists():
    assert {apps.get_model(model)._meta.label_lower for model in FIRST_GROUPS} == set(FIRST_GROUPS)
