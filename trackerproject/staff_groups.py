"""Groups of staff that every installation begins with, and their permissions, model by model.

Migrations make the groups and give them permissions; superusers may change them afterwards. A new model gets a line here
and a migration of its own (docs/howto.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.apps import apps as installed_apps
from django.contrib.auth.management import create_permissions

VERBS = ("view", "add", "change", "delete")
# By letter, from the least to the most: each group has all permissions of those before it.
GROUPS = {"R": "Read only", "O": "Operator", "F": "Fleet manager", "A": "Administrator"}
# Of each model the first group that may view, add, change and delete its rows; "-" where no page, address or task asks
# for the permission, so that it would mean nothing.
FIRST_GROUPS = {
    # The fleet
    "tasks_app.command": "RO--",
    "tasks_app.device": "RFOF",
    "tasks_app.deviceday": "----",
    "tasks_app.devicestate": "----",
    "tasks_app.dirtyday": "----",
    "tasks_app.event": "R--A",
    "tasks_app.filtercount": "R---",
    "tasks_app.filteredfix": "R---",
    "tasks_app.filtersettings": "RFFF",
    "tasks_app.fleet": "RAFA",
    "tasks_app.fleetmembership": "FFFF",
    "tasks_app.geofence": "RFFF",
    "tasks_app.maintenanceplan": "RFOF",
    "tasks_app.maintenancerecord": "R---",
    "tasks_app.position": "RO-A",
    "tasks_app.positionupload": "R---",
    "tasks_app.lanelease": "----",
    "tasks_app.quarantinedfix": "R---",
    "tasks_app.savedcommand": "RFFF",
    "tasks_app.tripstate": "----",
    # Background work
    "tasks_app.idempotentrequest": "----",
    "tasks_app.job": "ROOA",
    "tasks_app.jobaction": "----",
    "tasks_app.queueaction": "----",
    "tasks_app.schedulestate": "----",
    "django_q.schedule": "RAAA",
    "django_q.failure": "----",
    "django_q.ormq": "----",
    "django_q.success": "----",
    "django_q.task": "----",
    # Reports
    "reports_app.deleteddevice": "----",
    "reports_app.report": "ROFF",
    "reports_app.reportchunk": "----",
    "reports_app.reportfile": "----",
    "reports_app.reportfollower": "----",
    "reports_app.reportschedule": "ROFF",
    "reports_app.reportschedulerun": "----",
    # Notifications
    "notifications_app.delivery": "R-O-",
    "notifications_app.deliveryattempt": "R---",
    "notifications_app.destination": "AAAA",
    "notifications_app.emailoptout": "A--A",
    "notifications_app.escalation": "----",
    "notifications_app.escalationstep": "RFFF",
    "notifications_app.eventdispatch": "----",
    "notifications_app.heldalert": "----",
    "notifications_app.messagetemplate": "RAAA",
    "notifications_app.notification": "RO-A",
    "notifications_app.notificationattachment": "----",
    "notifications_app.notificationpreference": "AAAA",
    "notifications_app.rule": "RFFF",
    "notifications_app.rulecooldown": "----",
    "notifications_app.systemtrouble": "----",
    "notifications_app.waitingalert": "----",
    # Storage
    "tasks_app.positionarchive": "R---",
    "tasks_app.retentionsettings": "R-A-",
    "tasks_app.storagesample": "R---",
    # Access: the pickers of members and recipients ask for the permission to view users. Superusers make groups.
    "tasks_app.auditentry": "A---",
    "auth.user": "FAAA",
    "auth.group": "A---",
    "auth.permission": "----",
    "knox.authtoken": "A--A",
    "axes.accessattempt": "A--A",
    "axes.accessattemptexpiration": "----",
    "axes.accessfailurelog": "----",
    "axes.accesslog": "A---",
    "sessions.session": "---A",
    "otp_static.staticdevice": "----",
    "otp_static.statictoken": "----",
    "otp_totp.totpdevice": "----",
    "admin.logentry": "----",
    "contenttypes.contenttype": "----",
}
# The same of permissions that are no verb of a model's rows.
FURTHER = {
    "tasks_app.cancel_command": "O",
    "tasks_app.confirm_command": "F",
    "tasks_app.send_dangerous_command": "F",
    "tasks_app.override_command_safety": "F",
    "tasks_app.cancel_job": "O",
    "tasks_app.retry_job": "O",
    "tasks_app.run_job_now": "O",
    "tasks_app.pause_queue": "O",
    "tasks_app.purge_queue": "A",
    "tasks_app.control_workers": "A",
}


def first_groups() -> Iterator[tuple[str, str]]:
    """Yield every permission ("app_label.codename") with the letter of the first group that has it."""
    for model, letters in FIRST_GROUPS.items():
        label, name = model.split(".")
        for verb, letter in zip(VERBS, letters, strict=True):
            yield f"{label}.{verb}_{name}", letter
    yield from FURTHER.items()


def permissions_of(letter: str) -> set[str]:
    """Return the permissions of a group, those of the groups before it included."""
    letters = "".join(GROUPS)
    enough = letters[: letters.index(letter) + 1]
    return {name for name, first in first_groups() if first in enough}


def make_groups(apps: Any, schema_editor: Any) -> None:
    """Make the groups with their permissions. A group of the same name keeps what it has, too."""
    Group = apps.get_model("auth", "Group")
    for name in GROUPS.values():
        Group.objects.get_or_create(name=name)
    _give(apps, set(FIRST_GROUPS))


def give_permissions_of(*models: str) -> Any:
    """Return a migration's function that gives the groups, where they still exist, their permissions on new models."""

    def give(apps: Any, schema_editor: Any) -> None:
        _give(apps, set(models))

    return give


def give_holders(app_label: str, model: str, former: dict[str, list[str]]) -> Any:
    """Return a migration's function that gives the people and groups who hold a permission those that it was split into."""

    def give(apps: Any, schema_editor: Any) -> None:
        _make_permissions(apps)
        of_model = apps.get_model("auth", "Permission").objects.filter(
            content_type__app_label=app_label, content_type__model=model
        )
        for codename, further in former.items():
            new = list(of_model.filter(codename__in=further))
            for one in of_model.filter(codename=codename):
                for group in one.group_set.all():
                    group.permissions.add(*new)
                for user in one.user_set.all():
                    user.user_permissions.add(*new)

    return give


def _make_permissions(apps: Any) -> None:
    """Django makes permissions after all migrations; people and groups need them now."""
    for config in installed_apps.get_app_configs():
        create_permissions(config, verbosity=0, apps=apps)


def _give(apps: Any, models: set[str]) -> None:
    _make_permissions(apps)
    Group, Permission = apps.get_model("auth", "Group"), apps.get_model("auth", "Permission")
    found = {
        f"{one.content_type.app_label}.{one.codename}": one
        for one in Permission.objects.select_related("content_type")
        if f"{one.content_type.app_label}.{one.content_type.model}" in models
    }
    for letter, name in GROUPS.items():
        wanted = permissions_of(letter)
        for group in Group.objects.filter(name=name):
            group.permissions.add(*(one for permission, one in found.items() if permission in wanted))
