"""Texts of messages: rendered with custom or built-in templates, those of events at first use."""

from notifications_app.services.texts.lazy_bodies import fill_bodies
from notifications_app.services.texts.template_rendering import (
    clear_cache,
    preview_message,
    render_custom,
    render_message,
    render_subject,
)

__all__ = ["clear_cache", "fill_bodies", "preview_message", "render_custom", "render_message", "render_subject"]
