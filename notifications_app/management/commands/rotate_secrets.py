"""`manage.py rotate_secrets`: encrypts what is stored encrypted with the first of ENCRYPTION_KEYS again."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError
from django.utils.translation import gettext as _

from notifications_app.services.destinations import reencrypt_all
from tasks_app.management.audited import AuditedCommand
from tasks_app.services.trackers import encrypt_passwords_again


class Command(AuditedCommand):
    help = _(
        "Encrypts the secrets of destinations and the passwords of trackers with the first key again, so that older keys can "
        "be dropped."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        self.record_command(options)
        destinations, trackers = reencrypt_all(), encrypt_passwords_again()
        counts = {name: destinations[name] + trackers[name] for name in destinations}
        self.stdout.write(_("%(count)d secrets were encrypted again.") % {"count": counts["reencrypted"]})
        if counts["unreadable"]:
            raise CommandError(
                _("%(count)d secrets cannot be opened by any key; their owners have to enter them again.")
                % {"count": counts["unreadable"]}
            )
