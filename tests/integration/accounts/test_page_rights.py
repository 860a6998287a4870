"""Every page at / as each kind of person gets it. A page that is not in this list fails the first test."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import URLPattern, get_resolver, reverse

from tasks_app.models import Fleet, FleetRole
from tests.support.route_cases import make_world, member

pytestmark = pytest.mark.django_db
ROLES = ("visitor", "stranger", "viewer", "operator", "manager", "staff")
# "sign in" is a redirect to the sign-in page with the way back. A stranger is a member of another fleet only.
OPEN = dict.fromkeys(ROLES, 200)
EVERYONE = {**OPEN, "visitor": "sign in"}
MEMBERS = {**EVERYONE, "stranger": 404}
OPERATORS = {**MEMBERS, "viewer": 403}
MANAGERS = {**OPERATORS, "operator": 403}
FORMS_ONLY = dict.fromkeys(ROLES, 405)

# By name and method GET; arguments are taken from the rows of `make_world`.
PAGES: dict[str, dict[str, object]] = {
    "home": EVERYONE,
    "manifest": OPEN,
    # Lists show the rows of one's own fleets, and so may be empty.
    "devices": EVERYONE,
    "trips": EVERYONE,
    "events": EVERYONE,
    "geofences": EVERYONE,
    "notifications": EVERYONE,
    "notifications_read": FORMS_ONLY,
    "notification_read": FORMS_ONLY,
    "notification_acknowledge": FORMS_ONLY,
    # Rows of one's own; those of `make_world` are a manager's who is not among these people.
    "destinations": EVERYONE,
    "destination_add": EVERYONE,
    "destination_test": FORMS_ONLY,
    "destination_enable": FORMS_ONLY,
    "destination_delete": {**dict.fromkeys(ROLES, 404), "visitor": "sign in"},
    "preferences": EVERYONE,
    "password": EVERYONE,
    "access": EVERYONE,
    "session_end": FORMS_ONLY,
    "other_sessions_end": FORMS_ONLY,
    "everything_end": FORMS_ONLY,
    # Leads to the list.
    "token_add": {**dict.fromkeys(ROLES, 302), "visitor": "sign in"},
    "token_revoke": FORMS_ONLY,
    "geofence_add": {**EVERYONE, "viewer": 403, "operator": 403},
    "geofence_edit": MANAGERS,
    "geofence_delete": FORMS_ONLY,
    "area_text": FORMS_ONLY,
    "login": {**dict.fromkeys(ROLES, 302), "visitor": 200},
    "logout": FORMS_ONLY,
    # Nobody has given a password.
    "log_in_code": dict.fromkeys(ROLES, "sign in"),
    "two_factor": EVERYONE,
    "map": EVERYONE,
    # There are no rows of this kind.
    "pick": {**dict.fromkeys(ROLES, 404), "visitor": "sign in"},
    "device": MEMBERS,
    "device_day": MEMBERS,
    "device_replay": MEMBERS,
    # No time is asked for.
    "device_place": {**dict.fromkeys(ROLES, 400), "visitor": "sign in", "stranger": 404},
    "device_positions": MEMBERS,
    "device_settings": MANAGERS,
    "device_commands": MEMBERS,
    "device_command_send": OPERATORS,
    "commands": EVERYONE,
    "command": MEMBERS,
    "command_cancel": OPERATORS,
    "command_confirm": MANAGERS,
    "reports": EVERYONE,
    "report_ask": {**EVERYONE, "viewer": 403},
    # There is no kind of this name.
    "report_ask_kind": {**dict.fromkeys(ROLES, 404), "visitor": "sign in", "viewer": 403},
    "report": MEMBERS,
    # There is no format of this name: back to the report.
    "report_download": {**dict.fromkeys(ROLES, 302), "visitor": "sign in", "stranger": 404},
    "report_compare": MEMBERS,
    "report_cancel": MANAGERS,
    "report_retry": MANAGERS,
    "report_delete": MANAGERS,
    "report_schedules": EVERYONE,
    "report_schedule_add": {**EVERYONE, "viewer": 403},
    # Who may not change it reads it.
    "report_schedule": MEMBERS,
    "report_schedule_switch": {**FORMS_ONLY, "visitor": "sign in"},
    "report_schedule_run": {**FORMS_ONLY, "visitor": "sign in"},
    "report_schedule_remove": MANAGERS,
}


def page_patterns() -> dict[str, URLPattern]:
    """Every address of the namespace "pages", by name."""
    (included,) = [found for found in get_resolver().url_patterns if getattr(found, "namespace", None) == "pages"]
    return {pattern.name: pattern for pattern in included.url_patterns}


def test_every_page_is_in_the_list():
    assert set(page_patterns()) == set(PAGES)


@pytest.fixture
def world(fleet, make_user):
    return make_world(fleet, member(make_user, fleet, FleetRole.MANAGER))


@pytest.fixture
def people(fleet, make_user, staff):
    elsewhere = Fleet.objects.create(name="Elsewhere")
    return {
        "visitor": None,
        "stranger": member(make_user, elsewhere, FleetRole.MANAGER),
        "staff": staff,
        **{role.value: member(make_user, fleet, role) for role in FleetRole},
    }


def address_of(name: str, world) -> str:
    converters = page_patterns()[name].pattern.converters
    rows = {**world, "schedule_id": world["report_schedule_id"]}
    return reverse(f"pages:{name}", kwargs={argument: rows.get(argument, "none") for argument in converters})


def answer_to(user, address: str) -> object:
    client = Client()
    if user is not None:
        client.force_login(user)
    answer = client.get(address)
    is_sent_to_sign_in = answer.status_code == 302 and answer.headers["Location"].startswith(reverse("pages:login"))
    return "sign in" if is_sent_to_sign_in else answer.status_code


@pytest.mark.parametrize("name", sorted(PAGES))
def test_each_person_gets_the_pages_of_their_role(name, world, people):
    address = address_of(name, world)
    assert {role: answer_to(people[role], address) for role in ROLES} == PAGES[name]
