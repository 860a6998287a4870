"""`manage.py local_admin`: the account `admin` of `make run`, with the password in LOCAL_ADMIN_PASSWORD."""

from __future__ import annotations

import os
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import CommandError
from django.utils.translation import gettext as _

from tasks_app.management.base import ShellCommand


class Command(ShellCommand):
    help = "Create the superuser `admin` of a local installation, or set its password (development only)."

    def handle(self, *args: Any, **options: Any) -> None:
        password = os.environ.get("LOCAL_ADMIN_PASSWORD", "")
        if not settings.DEBUG or not password:
            raise CommandError(_("Only for development (DEBUG=1), with the password in LOCAL_ADMIN_PASSWORD."))
        users = get_user_model().objects
        admin, _created = users.get_or_create(username="admin", defaults={"email": "admin@localhost"})
        admin.is_active = admin.is_staff = admin.is_superuser = True
        if not admin.check_password(password):
            admin.set_password(password)
        admin.save()
