"""Users of log-in sessions, and names, scopes and last use of API tokens.

The foreign keys are the database's own: web servers of the version before, which run on during an upgrade, delete sessions,
tokens and users without knowing these rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.db import migrations, models
from django.utils import timezone

import tasks_app.models.accounts

BATCH_ROWS = 1000
CASCADE = """
ALTER TABLE tasks_app_loginsession
    ADD CONSTRAINT tasks_app_loginsession_session FOREIGN KEY (session_id)
        REFERENCES django_session (session_key) ON DELETE CASCADE,
    ADD CONSTRAINT tasks_app_loginsession_user FOREIGN KEY (user_id) REFERENCES auth_user (id) ON DELETE CASCADE;
ALTER TABLE tasks_app_tokendetails
    ADD CONSTRAINT tasks_app_tokendetails_token FOREIGN KEY (token_id)
        REFERENCES knox_authtoken (digest) ON DELETE CASCADE;
"""


def add_living_sessions(apps: Any, schema_editor: Any) -> None:
    """Name the users of the sessions that live now."""
    LoginSession = apps.get_model("tasks_app", "LoginSession")
    users = set(apps.get_model("auth", "User").objects.values_list("pk", flat=True))
    named = [LoginSession(session_id=key, user_id=user_id) for key, user_id in _opened(apps) if user_id in users]
    LoginSession.objects.bulk_create(named, batch_size=BATCH_ROWS, ignore_conflicts=True)


def _opened(apps: Any) -> Iterator[tuple[str, int]]:
    store = import_module(settings.SESSION_ENGINE).SessionStore()
    living = apps.get_model("sessions", "Session").objects.filter(expire_date__gt=timezone.now())
    for key, data in living.values_list("session_key", "session_data").iterator():
        user_id = str(store.decode(data).get(SESSION_KEY, ""))
        if user_id.isdecimal():
            yield key, int(user_id)


class Migration(migrations.Migration):
    dependencies = [
        ("knox", "0009_extend_authtoken_field"),
        ("sessions", "0001_initial"),
        ("tasks_app", "0035_bulk_actions"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="TokenDetails",
            fields=[
                (
                    "token",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        primary_key=True,
                        related_name="details",
                        serialize=False,
                        to="knox.authtoken",
                    ),
                ),
                ("name", models.CharField(blank=True, default="", max_length=60, verbose_name="name")),
                (
                    "scopes",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(
                            choices=[
                                ("read", "Read: look at everything its owner may see"),
                                ("write", "Write: change rows, send positions, ask for reports"),
                                ("operate", "Operate: send commands to devices; cancel, retry, pause, run and clean up"),
                                ("metrics", "Metrics: read /metrics, for a scraper"),
                            ],
                            max_length=16,
                        ),
                        default=tasks_app.models.accounts.default_scopes,
                        size=None,
                    ),
                ),
                ("last_used_at", models.DateTimeField(null=True, verbose_name="last used")),
            ],
            options={"default_permissions": ()},
        ),
        migrations.CreateModel(
            name="LoginSession",
            fields=[
                (
                    "session",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        primary_key=True,
                        related_name="login",
                        serialize=False,
                        to="sessions.session",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "default_permissions": (),
                "verbose_name": "log-in session",
                "verbose_name_plural": "log-in sessions",
            },
        ),
        migrations.RunSQL(CASCADE, migrations.RunSQL.noop),
        migrations.RunPython(add_living_sessions, migrations.RunPython.noop),
    ]
