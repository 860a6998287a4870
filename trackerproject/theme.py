"""Names of the admin. Its files: `tasks_app.web.joined_files`; its colours: `admin_colors.css`."""

from __future__ import annotations

from typing import Any

from django.templatetags.static import static
from django.utils.translation import gettext_lazy as _

ADMIN_THEME: dict[str, Any] = {
    "SITE_TITLE": _("Tracker"),
    "SITE_HEADER": _("Tracker"),
    "SITE_SYMBOL": "location_on",
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("tasks_app/favicon.svg")}
    ],
    "DASHBOARD_CALLBACK": "tasks_app.admin.overview.overview",
    "SITE_URL": None,
    "SIDEBAR": {"navigation": "tasks_app.admin.navigation.sidebar"},
}
