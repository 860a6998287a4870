"""It is decided of every model whether what people change of it is audited, and a value is kept without secrets."""

from __future__ import annotations

import json

import pytest
from django.apps import apps

from tasks_app.models import PositionUpload
from tasks_app.services.audit import watched_models
from tasks_app.services.audit.values import LEFT_OUT, MAX_CHANGES_CHARS, bounded_changes, changed_values, kept_value

# Models that the audit leaves out, by reason.
SYSTEM = "Only the system writes it, from what devices send or jobs did."
ITSELF = "A record of what people did, beside the audit."
VERBS_ONLY = "Each request, sending and answer is an entry with a verb of its own."
CODES = "Hashes of recovery codes, which come and go with their device; its entry says so."
OWN = "A person's own reading, which says nothing of others."
DJANGOS = "Django's own, which no page changes."
UNWATCHED = {
    SYSTEM: {
        "tasks_app.deviceday", "tasks_app.devicestate", "tasks_app.dirtyday", "tasks_app.event", "tasks_app.filtercount",
        "tasks_app.filteredfix", "tasks_app.job", "tasks_app.lanelease", "tasks_app.position", "tasks_app.positionarchive",
        "tasks_app.quarantinedfix", "tasks_app.storagesample", "tasks_app.tripstate", "django_q.failure", "django_q.ormq",
        "django_q.success", "django_q.task", "notifications_app.delivery", "notifications_app.deliveryattempt",
        "notifications_app.escalation", "notifications_app.eventdispatch", "notifications_app.heldalert",
        "notifications_app.notificationattachment", "notifications_app.rulecooldown", "notifications_app.systemtrouble",
        "notifications_app.waitingalert", "reports_app.deleteddevice", "reports_app.reportchunk", "reports_app.reportfile",
        "reports_app.reportschedulerun", "tasks_app.loginsession",
        "tasks_app.idempotentrequest",
    },
    ITSELF: {
        "tasks_app.auditentry", "tasks_app.jobaction", "tasks_app.queueaction", "tasks_app.bulkaction", "admin.logentry",
        "axes.accessattemptexpiration", "axes.accessfailurelog", "axes.accesslog",
    },
    VERBS_ONLY: {"tasks_app.command", "tasks_app.commandattempt"},
    CODES: {"otp_static.statictoken"},
    OWN: {"notifications_app.notification", "sessions.session"},
    DJANGOS: {"auth.permission", "contenttypes.contenttype"},
}  # fmt: skip


def test_it_is_decided_of_every_model_whether_it_is_audited():
    watched = {model._meta.label_lower for model in watched_models()}
    unwatched = set().union(*UNWATCHED.values())
    assert watched & unwatched == set()
    assert {model._meta.label_lower for model in apps.get_models()} == watched | unwatched


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("name", "Van 1", "Van 1"),
        ("password", "pbkdf2$x", "[hidden]"),
        ("api_key", 17, "[hidden]"),
        ("ingest_key_hash", "ab12", "[hidden]"),
        ("password", "", ""),  # None was set.
        ("is_active", True, True),
        ("config", {"url": "x", "token": "abc"}, {"url": "x", "token": "[hidden]"}),
        ("note", "the password is hunter2x", "the password is [hidden]"),
        ("data", b"1234", "[4 bytes]"),
        ("name", "a\x00b", "a\\x00b"),
        ("name", "\ud800", "\\ud800"),
        ("text", "x" * 5000, "x" * 1000 + "… [5000 characters]"),
        ("value", float("nan"), None),
    ],
)
def test_a_value_is_kept_without_secrets_and_bounded(name, value, kept):
    found = kept_value(name, value)
    assert found == kept or (value != value and found != value)
    json.dumps(found, allow_nan=False)


def test_only_fields_that_changed_are_kept():
    before, after = {"name": "a", "kind": "car", "password": "x"}, {"name": "b", "kind": "car", "password": "y"}
    assert changed_values(before, after) == {"name": ["a", "b"], "password": ["[hidden]", "[hidden]"]}
    assert changed_values({}, {"name": "a"}) == {"name": [None, "a"]}
    assert changed_values({"name": "a"}, {}) == {"name": ["a", None]}


def test_changes_that_are_too_large_together_lose_the_largest():
    changes = {f"field{number}": "x" * 900 for number in range(40)} | {"name": "Van"}
    kept = bounded_changes(changes)
    assert len(json.dumps(kept)) < MAX_CHANGES_CHARS + 1000
    assert kept["name"] == "Van"
    assert LEFT_OUT in kept.values()


def test_a_field_for_a_file_without_one_is_kept_as_an_empty_text():
    assert kept_value("file", PositionUpload(name="a.csv").file) == ""
