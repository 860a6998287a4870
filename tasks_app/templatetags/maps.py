"""A map on a page: `{% map "live-map" label=label %}`, before a script that calls `TrackerMap.create` (docs/map.md)."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils.translation import gettext as _

from tasks_app.utils.map_tiles import tile_settings

register = template.Library()


@register.inclusion_tag("tasks_app/map.html", name="map")
def map_element(element_id: str, label: str = "") -> dict[str, Any]:
    """The element of a map with its style sheets, scripts and settings. The page's own script comes after it, deferred."""
    return {
        "element_id": element_id,
        "settings_id": f"{element_id}-settings",
        "label": label
        or _("Map. Arrow keys move it, plus and minus zoom, 0 shows all, Enter chooses the nearest device."),
        "settings": {"tiles": tile_settings(), "texts": _texts()},
    }


def _texts() -> dict[str, str]:
    return {
        "zoom_in": _("Zoom in"),
        "zoom_out": _("Zoom out"),
        "show_all": _("Show all"),
        "fullscreen": _("Full screen"),
        "tiles_fail": _("The tile server does not answer: the map is drawn without it."),
    }
