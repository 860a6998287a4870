"""The section of notifications in the side bar."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from tasks_app.admin.navigation import Page, Section, register_section
from tasks_app.web.empty_pages import register_empty_hints

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
register_empty_hints(
    {
        "notifications_app.rule": _("Who is notified of which events, and how. Add the first rule."),
        "notifications_app.notification": _(
            "What people were notified of. It comes by itself: by rules, and about reports."
        ),
        "notifications_app.delivery": _(
            "Each way of each notification: e-mail, webhook, chat. They come with notifications."
        ),
        "notifications_app.destination": _("Webhooks and chats of people. Add one; a rule may then send there."),
        "notifications_app.messagetemplate": _(
            "Texts of your own in place of the built-in ones. Without any, those are sent."
        ),
        "notifications_app.emailoptout": _("People who unsubscribed from e-mails by the link in them."),
        "notifications_app.notificationpreference": _(
            "Language, time zone, units and quiet hours of people, who choose them in the menu of the header."
        ),
    }
)
