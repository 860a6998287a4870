"""Log-in sessions and API tokens: what we keep beside the rows of Django and knox.

The rows go with those of the other packages by the database's own ON DELETE CASCADE (migration 0036): whatever deletes a
session or a token, of any version, need not know them.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.contrib.postgres.fields import ArrayField
from django.contrib.sessions.models import Session
from django.db import models
from django.utils.translation import gettext_lazy as _
from knox.models import AuthToken

from tasks_app.models.lines import ONE_LINE


class LoginSession(models.Model):
    """The user of a log-in session: rows of sessions name none, so that each would have to be read to find a person's."""

    session = models.OneToOneField(
        Session, models.DO_NOTHING, primary_key=True, db_constraint=False, related_name="login"
    )
    user = models.ForeignKey(User, models.CASCADE, db_constraint=False, related_name="+")

    class Meta:
        default_permissions = ()
        verbose_name = _("log-in session")
        verbose_name_plural = _("log-in sessions")

    def __str__(self) -> str:
        return str(self.user_id)


class Scope(models.TextChoices):
    """Uses of an API token. The rights of its user bound it besides."""

    READ = "read", _("Read: look at everything its owner may see")
    WRITE = "write", _("Write: change rows, send positions, ask for reports")
    OPERATE = "operate", _("Operate: send commands to devices; cancel, retry, pause, run and clean up")
    METRICS = "metrics", _("Metrics: read /metrics, for a scraper")

    @property
    def short_name(self) -> str:
        """The word before the colon of its label."""
        return str(self.label).partition(":")[0]


# Of tokens that were made without a choice, as all were before there was one.
DEFAULT_SCOPES = (Scope.READ, Scope.WRITE, Scope.OPERATE)


def default_scopes() -> list[str]:
    return [str(scope) for scope in DEFAULT_SCOPES]


class TokenDetails(models.Model):
    """Name, scopes and last use of an API token. A token without this row has the default scopes."""

    token = models.OneToOneField(
        AuthToken, models.DO_NOTHING, primary_key=True, db_constraint=False, related_name="details"
    )
    name = models.CharField(_("name"), max_length=60, blank=True, default="", validators=[ONE_LINE])
    scopes: Any = ArrayField(models.CharField(max_length=16, choices=Scope.choices), default=default_scopes)
    # Written once a minute at most.
    last_used_at = models.DateTimeField(_("last used"), null=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.name
