"""The section of notifications in the side bar."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from tasks_app.admin.navigation import Page, Section, register_section

register_section(
    Section(
        _("Notifications"),
        [
            Page(_("Rules"), "rule", "notifications_app", "rule"),
            Page(_("Notifications"), "notifications", "notifications_app", "notification"),
            Page(_("Deliveries"), "send", "notifications_app", "delivery"),
            Page(_("Destinations"), "webhook", "notifications_app", "destination"),
            Page(_("Message templates"), "article", "notifications_app", "messagetemplate"),
            Page(_("Unsubscribed"), "unsubscribe", "notifications_app", "emailoptout"),
            Page(_("Preferences"), "tune", "notifications_app", "notificationpreference"),
        ],
    )
)
