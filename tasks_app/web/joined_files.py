"""Static files that pages always load together, and that a browser is sent as one.

The files stay apart in the repository, and on pages while DEBUG is set without HASHED_STATIC; collecting joins them
(`trackerproject.static_files`). Templates name them by `{% joined "tasks_app/joined/map.js" %}`.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable

from django.contrib.staticfiles.storage import staticfiles_storage

FOLDER = "tasks_app/joined"
_LIVE_MAP = ("texts", "filters", "lists", "popup", "places", "page")
_MAP = ("canvas_layer", "graticule", "tiles", "geofences", "track", "clusters", "names", "devices", "map")

# In the order in which they build on each other. Of the theme what its templates use on our pages: no font but the icons (text
# is in the system's own, as on the pages at /), no charts (ours are SVG), no drag and drop of rows, no scroll bars of its own.
JOINED: dict[str, tuple[str, ...]] = {
    f"{FOLDER}/admin.css": (
        "unfold/fonts/material-symbols/styles.css",
        "tasks_app/admin_colors.css",
        "tasks_app/tokens.css",
        "tasks_app/components.css",
        "unfold/css/styles.css",
        "tasks_app/theme.css",
        "tasks_app/forced_colors.css",
        "tasks_app/print.css",
    ),
    f"{FOLDER}/admin.js": (
        "tasks_app/theme.js",
        "unfold/js/app.js",
        "tasks_app/expressions.js",
        "unfold/js/alpine/alpine.anchor.js",
        "unfold/js/alpine/alpine.persist.js",
        "unfold/js/alpine/alpine.resize.js",
        "unfold/js/alpine/alpine.js",
        "unfold/js/htmx/htmx.js",
        "admin/js/core.js",
        "admin/js/actions.js",
        "tasks_app/labels.js",
        "tasks_app/reachable.js",
        "tasks_app/once.js",
    ),
    # Of forms: rows found by typing, related objects in a window of their own.
    f"{FOLDER}/form.css": ("admin/css/vendor/select2/select2.css", "admin/css/autocomplete.css"),
    f"{FOLDER}/form.js": (
        "admin/js/vendor/jquery/jquery.min.js",
        "admin/js/vendor/select2/select2.full.min.js",
        "admin/js/vendor/select2/i18n/en.js",
        "admin/js/vendor/select2/i18n/pt-BR.js",
        "admin/js/jquery.init.js",
        "admin/js/admin/RelatedObjectLookups.js",
        "admin/js/autocomplete.js",
    ),
    f"{FOLDER}/pages.css": tuple(
        f"tasks_app/{name}.css" for name in ("tokens", "components", "pages", "forced_colors", "print")
    ),
    f"{FOLDER}/pages.js": ("tasks_app/menus.js", "tasks_app/once.js"),
    f"{FOLDER}/map.css": ("js_lib_leaflet/leaflet.css", "tasks_app/map/map.css"),
    f"{FOLDER}/map.js": ("js_lib_leaflet/leaflet.js", *(f"tasks_app/map/{name}.js" for name in _MAP)),
    f"{FOLDER}/live_map.js": ("tasks_app/live_socket.js", *(f"tasks_app/live_map/{name}.js" for name in _LIVE_MAP)),
    f"{FOLDER}/area_editor.js": (
        "tasks_app/map/editor.js",
        "tasks_app/live_socket.js",
        "tasks_app/area_editor.js",
    ),
    f"{FOLDER}/jobs.js": ("tasks_app/search.js", "tasks_app/keys.js"),
    f"{FOLDER}/call_form.js": ("tasks_app/pickers.js", "tasks_app/call_form.js", "tasks_app/chosen_time.js"),
}

_SOURCE_MAP = re.compile(r"^(//# sourceMappingURL=.*|/\*# sourceMappingURL=.*\*/)$", re.MULTILINE)
_RELATIVE_URL = re.compile(r"""url\((["']?)(?!["']|[a-z]+:|/|\#)""")


def names_of(name: str) -> tuple[str, ...]:
    """Return what a page is to load for the joined file: itself where files were joined, else its parts."""
    return (name,) if getattr(staticfiles_storage, "joins", False) else JOINED[name]


def join(name: str, read: Callable[[str], str]) -> str:
    """Return the content of the joined file: scripts one after the other, style sheets with the same addresses."""
    parts = ((part, _SOURCE_MAP.sub("", read(part))) for part in JOINED[name])
    if name.endswith(".js"):
        return "".join(f"{text.strip()}\n;\n" for _, text in parts)
    return "\n".join(_moved(text, posixpath.dirname(part)) for part, text in parts)


def _moved(style: str, folder: str) -> str:
    """Return a style sheet of `folder` with addresses relative to FOLDER."""
    way = posixpath.relpath(folder, FOLDER)
    return _RELATIVE_URL.sub(lambda found: f"{found.group()}{way}/", style)
