"""System checks of the project."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.staticfiles.apps import StaticFilesConfig
from django.contrib.staticfiles.finders import get_finders
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.checks import CheckMessage, Tags, Warning, register

from tasks_app.web.joined_files import JOINED


@register(Tags.staticfiles, deploy=True)
def check_collected_files(**_: Any) -> list[CheckMessage]:
    """W001: pages name static files that were not collected, as after an upgrade without `collectstatic`."""
    if not settings.HASHED_STATIC:
        return []
    ignored = StaticFilesConfig.ignore_patterns
    needed = {name for finder in get_finders() for name, _storage in finder.list(ignored)} | JOINED.keys()
    collected: Any = staticfiles_storage
    missing = sorted(needed - collected.hashed_files.keys())
    if not missing:
        return []
    text = f"{len(missing)} static files are not in STATIC_ROOT, such as {missing[0]}: pages that load them fail."
    hint = "Run manage.py collectstatic --noinput before the web service of this version starts."
    return [Warning(text, hint=hint, id="trackerproject.W001")]
