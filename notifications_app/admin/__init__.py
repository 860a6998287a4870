"""The admin pages of notifications: who is notified, by which way, with which words, and whether it arrived."""

from notifications_app.admin import deliveries, destinations, message_templates, rules

__all__ = ["deliveries", "destinations", "message_templates", "rules"]
