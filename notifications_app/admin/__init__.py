"""The admin pages of notifications: rules, deliveries, destinations, message templates."""

from notifications_app.admin import deliveries, destinations, inbox, message_templates, navigation, rules

__all__ = ["deliveries", "destinations", "inbox", "message_templates", "navigation", "rules"]
