"""The language and the theme a person chose."""

from __future__ import annotations

from typing import Any

from notifications_app.models import NotificationPreference


def keep_language(user: Any, language: str) -> None:
    """Store the language, one of settings.LANGUAGES, in which this person reads pages and messages."""
    NotificationPreference.objects.update_or_create(user=user, defaults={"language": language})


def keep_theme(user: Any, theme: str, *, language: str) -> None:
    """Store the theme, a value of `Theme`, in which this person sees the pages at /.

    `language` is that of the pages: a person without stored preferences goes on reading it.
    """
    made = {"theme": theme, "language": language}
    NotificationPreference.objects.update_or_create(user=user, defaults={"theme": theme}, create_defaults=made)
