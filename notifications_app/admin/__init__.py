"""The admin pages of notifications: rules, deliveries, destinations, message templates."""

from notifications_app.admin import deliveries, destinations, device_links, inbox, message_templates, navigation, rules

__all__ = ["deliveries", "destinations", "device_links", "inbox", "message_templates", "navigation", "rules"]
