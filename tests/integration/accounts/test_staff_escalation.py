"""Nobody gives more than they have: every way in which staff could raise themselves or take an account over, tried by POST."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, User
from django.urls import reverse

from tasks_app.models import Fleet, FleetMembership, FleetRole
from tasks_app.queries.account_rights import AS_STAFF
from tests.support.rights import changed_tables, database_state, give, pages_of, permissions_named
from tests.support.threads import in_threads

pytestmark = pytest.mark.django_db
ACCOUNTS = ("auth.view_user", "auth.add_user", "auth.change_user", "auth.delete_user")
GROUPS = ("auth.view_group", "auth.add_group", "auth.change_group", "auth.delete_group")
PASSWORD = {"usable_password": "true", "password1": "a-new-pass-phrase", "password2": "a-new-pass-phrase"}
# Log-ins and the journal of the admin are written whatever comes of a request.
UNTOUCHED = ("auth.user", "auth.group", "auth.user_groups", "auth.user_user_permissions", "auth.group_permissions")


@pytest.fixture
def clerk(make_user) -> User:
    """Staff that may do everything with accounts and groups, and nothing else."""
    return give(make_user(username="clerk", is_staff=True), *ACCOUNTS, *GROUPS)


@pytest.fixture
def boss(make_user) -> User:
    return make_user(username="boss", is_staff=True, is_superuser=True)


@pytest.fixture
def colleague(make_user) -> User:
    """Staff that may remove positions, which the clerk may not."""
    return give(make_user(username="colleague", is_staff=True), "tasks_app.delete_position")


def form_of(user: User, **fields: object) -> dict[str, object]:
    return {
        "username": user.username, "first_name": "", "last_name": "", "email": user.email, "is_active": "on",
        "date_joined_0": "2026-01-01", "date_joined_1": "00:00:00", **fields,
    }  # fmt: skip


def change(editor: User, user: User, **fields: object):
    return pages_of(editor).post(reverse("admin:auth_user_change", args=[user.pk]), form_of(user, **fields))


GRANTS = {
    "superuser": {"is_superuser": "on"},
    "staff": {"is_staff": "on"},
    "permissions": {"user_permissions": "*"},
    "groups": {"groups": "*"},
}


def grant_fields(grant: str) -> dict[str, object]:
    group = Group.objects.create(name=f"of {grant}")
    group.permissions.set(permissions_named(["tasks_app.delete_position"]))
    pks = {"user_permissions": permissions_named(["tasks_app.delete_position"])[0].pk, "groups": group.pk}
    return {name: pks.get(name) if value == "*" else value for name, value in GRANTS[grant].items()}


@pytest.mark.parametrize("grant", GRANTS)
@pytest.mark.parametrize("whose", ["own", "another"])
def test_it_gives_no_rights_through_the_page_of_a_user(grant, whose, clerk, make_user):
    user = clerk if whose == "own" else make_user()
    fields = grant_fields(grant)
    rights = (user.is_superuser, user.is_staff, user.get_all_permissions())
    change(clerk, user, **fields)
    after = User.objects.get(pk=user.pk)
    assert (after.is_superuser, after.is_staff, after.get_all_permissions()) == rights
    assert not after.groups.exists()


@pytest.mark.parametrize("grant", GRANTS)
def test_it_gives_no_rights_to_a_new_user(grant, clerk):
    fields = {"username": "new", **PASSWORD, **grant_fields(grant)}
    pages_of(clerk).post(reverse("admin:auth_user_add"), fields)
    new = User.objects.get(username="new")
    assert (new.is_superuser, new.is_staff, new.get_all_permissions()) == (False, False, set())


@pytest.mark.parametrize("victim", ["boss", "colleague"])
@pytest.mark.parametrize("is_active", [True, False])
def test_it_takes_no_account_over_that_has_more_rights(victim, is_active, clerk, boss, colleague):
    user = {"boss": boss, "colleague": colleague}[victim]
    User.objects.filter(pk=user.pk).update(is_active=is_active)
    page = pages_of(clerk)
    answers = [
        page.post(reverse("admin:auth_user_password_change", args=[user.pk]), PASSWORD),
        change(clerk, user, email="clerk@example.org"),
        page.post(reverse("admin:auth_user_delete", args=[user.pk]), {"post": "yes"}),
        page.post(
            reverse("admin:auth_user_changelist"),
            {"action": "delete_selected", "_selected_action": [user.pk], "post": "yes"},
        ),
    ]
    assert [answer.status_code for answer in answers] == [403] * 4
    after = User.objects.get(pk=user.pk)
    assert (after.password, after.email) == (user.password, user.email)


def test_it_takes_no_member_over_of_a_fleet_one_has_no_part_in(clerk, operator):
    answer = pages_of(clerk).post(reverse("admin:auth_user_password_change", args=[operator.pk]), PASSWORD)
    assert answer.status_code == 403


def test_it_lets_staff_look_after_accounts_that_have_no_more_than_they(clerk, charlie):
    answer = pages_of(clerk).post(reverse("admin:auth_user_password_change", args=[charlie.pk]), PASSWORD)
    assert answer.status_code == 302
    assert User.objects.get(pk=charlie.pk).check_password("a-new-pass-phrase")
    assert change(clerk, charlie, email="new@example.org").status_code == 302
    assert User.objects.get(pk=charlie.pk).email == "new@example.org"


FORMER_SELVES = {"demoted": {"is_staff": "on"}, "no staff": {"is_superuser": "on"}, "inactive": {"is_active": ""}}


@pytest.mark.parametrize("wish", FORMER_SELVES.values(), ids=FORMER_SELVES)
def test_the_last_superuser_who_can_log_in_stays_one(wish, staff, boss):
    wished = {"is_superuser": "on", "is_staff": "on", **wish} if "is_active" in wish else wish
    User.objects.filter(pk=boss.pk).update(is_active=False)
    page = change(staff, staff, **wished)
    assert "Nobody else is a superuser" in page.content.decode()
    User.objects.filter(pk=boss.pk).update(is_active=True)
    assert change(staff, staff, **wished).status_code == 302


@pytest.mark.django_db(transaction=True)
def test_the_last_superuser_who_can_log_in_is_not_deleted(staff, boss, charlie):
    page = pages_of(staff)
    both = {"action": "delete_selected", "_selected_action": [staff.pk, boss.pk], "post": "yes"}
    assert "nobody else is a superuser" in page.post(reverse("admin:auth_user_changelist"), both).content.decode()
    page.post(reverse("admin:auth_user_delete", args=[boss.pk]), {"post": "yes"})
    for ask in (page.get, page.post):
        answer = ask(reverse("admin:auth_user_delete", args=[staff.pk]), {"post": "yes"})
        assert "nobody else is a superuser" in answer.content.decode()
    assert list(User.objects.filter(is_superuser=True)) == [staff]
    page.post(reverse("admin:auth_user_changelist"), {**both, "_selected_action": [charlie.pk]})
    assert not User.objects.filter(pk=charlie.pk).exists()


@pytest.mark.django_db(transaction=True)
def test_two_superusers_who_demote_each_other_at_once_leave_one(staff, boss):
    in_threads(lambda: change(staff, boss), lambda: change(boss, staff))
    assert User.objects.filter(is_superuser=True, is_staff=True, is_active=True).count() == 1


def test_ones_own_password_is_not_changed_without_the_old_one(staff):
    answer = pages_of(staff).post(reverse("admin:auth_user_password_change", args=[staff.pk]), PASSWORD)
    assert answer["Location"] == reverse("admin:password_change")
    assert User.objects.get(pk=staff.pk).password == staff.password


def test_nobody_writes_when_somebody_logged_in(staff, charlie):
    assert change(staff, charlie, last_login_0="2020-01-01", last_login_1="00:00:00").status_code == 302
    assert User.objects.get(pk=charlie.pk).last_login is None
    assert pages_of(staff).get(reverse("admin:auth_user_change", args=[charlie.pk])).status_code == 200


def test_an_account_is_not_renamed_to_another_ones_name_in_other_letters(staff, charlie):
    assert "already exists" in change(staff, charlie, username="STAFF").content.decode()
    assert change(staff, charlie, username="Charlie").status_code == 302


def test_it_lets_superusers_give_everything(staff, charlie):
    change(staff, charlie, is_staff="on", **grant_fields("permissions"))
    after = User.objects.get(pk=charlie.pk)
    assert (after.is_staff, after.has_perm("tasks_app.delete_position")) == (True, True)


def test_it_lets_only_superusers_change_groups(clerk, staff):
    group = Group.objects.create(name="Clerks")
    clerk.groups.add(group)
    fields = {"name": "Clerks", "permissions": permissions_named(["tasks_app.delete_position"])[0].pk}
    page, before = pages_of(clerk), database_state()
    codes = [
        page.post(reverse("admin:auth_group_change", args=[group.pk]), fields).status_code,
        page.post(reverse("admin:auth_group_add"), {**fields, "name": "Mine"}).status_code,
        page.post(reverse("admin:auth_group_delete", args=[group.pk]), {"post": "yes"}).status_code,
        page.post(
            reverse("admin:auth_group_changelist"),
            {"action": "delete_selected", "_selected_action": [group.pk], "post": "yes"},
        ).status_code,
    ]
    assert not set(changed_tables(before, database_state())) & set(UNTOUCHED), codes
    assert pages_of(staff).post(reverse("admin:auth_group_change", args=[group.pk]), fields).status_code == 302


FLEETS = ("tasks_app.view_fleet", "tasks_app.change_fleet", "tasks_app.add_fleetmembership")


def membership_form(fleet: Fleet, user: User, role: str) -> dict[str, object]:
    return {
        "name": fleet.name, "time_zone": fleet.time_zone, "geofence_tolerance_meters": 0, "geofence_dwell_seconds": 0,
        "overspeed_tolerance_kph": 5, "overspeed_min_seconds": 0, "battery_low_percent": 20,
        "rule_commands": "none",
        "memberships-TOTAL_FORMS": 1, "memberships-INITIAL_FORMS": 0, "memberships-0-user": user.pk,
        "memberships-0-role": role, "memberships-0-fleet": fleet.pk, "filters-TOTAL_FORMS": 0,
        "filters-INITIAL_FORMS": 0, "filter_rules-TOTAL_FORMS": 0, "filter_rules-INITIAL_FORMS": 0,
    }  # fmt: skip


@pytest.mark.parametrize("role", FleetRole.values)
def test_it_gives_no_role_that_the_editor_does_not_have(role, fleet, make_user):
    editor = give(make_user(is_staff=True), *FLEETS)
    form = membership_form(fleet, editor, role)
    pages_of(editor).post(reverse("admin:tasks_app_fleet_change", args=[fleet.pk]), form)
    assert not FleetMembership.objects.filter(user=editor).exists()


def test_it_lets_who_has_as_much_name_the_managers_of_a_fleet(fleet, make_user, charlie):
    editor = give(make_user(is_staff=True), *{*FLEETS, *AS_STAFF["manager"]})
    form = membership_form(fleet, charlie, "manager")
    answer = pages_of(editor).post(reverse("admin:tasks_app_fleet_change", args=[fleet.pk]), form)
    assert answer.status_code == 302, answer.context["errors"]
    assert FleetMembership.objects.get(user=charlie).role == "manager"
