"""Static files that belong together: `{% joined "tasks_app/joined/map.js" %}`, as one file where they were joined."""

from __future__ import annotations

from django import template
from django.templatetags.static import static
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from tasks_app.web.joined_files import names_of

register = template.Library()

SCRIPT = '<script src="{}" defer></script>\n'
STYLE = '<link rel="stylesheet" href="{}">\n'


@register.simple_tag
def joined(name: str) -> SafeString:
    """The tags that load the files joined under `name`: scripts run after the page was read, in their order."""
    tag = SCRIPT if name.endswith(".js") else STYLE
    return format_html_join("", tag, ((static(part),) for part in names_of(name)))
