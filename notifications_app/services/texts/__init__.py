"""Texts of messages: rendered with custom or built-in templates, those of events at first use."""

from notifications_app.services.texts.lazy_bodies import fill_bodies
from notifications_app.services.texts.template_rendering import forget, render, render_own, subject_of

__all__ = ["fill_bodies", "forget", "render", "render_own", "subject_of"]
