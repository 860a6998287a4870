"""Names and colours of the admin. Its files: `tasks_app.web.joined_files`."""

from __future__ import annotations

from typing import Any

from django.templatetags.static import static
from django.utils.translation import gettext_lazy as _

# Teal, dark enough from 600 on for white text (4.5:1).
PRIMARY = {
    "50": "oklch(98% .014 181)",
    "100": "oklch(95% .04 181)",
    "200": "oklch(91% .08 181)",
    "300": "oklch(85% .11 182)",
    "400": "oklch(78% .12 182)",
    "500": "oklch(70% .12 183)",
    "600": "oklch(52% .095 185)",
    "700": "oklch(46% .085 186)",
    "800": "oklch(40% .07 188)",
    "900": "oklch(35% .06 189)",
    "950": "oklch(25% .05 193)",
}


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
    "COLORS": {"primary": PRIMARY},
    "SIDEBAR": {"navigation": "tasks_app.admin.navigation.sidebar"},
}
