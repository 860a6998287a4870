"""Alerts about the system itself, for administrators."""

from notifications_app.services.system.alerts import alert_administrators
from notifications_app.services.system.checks import check_system

__all__ = ["alert_administrators", "check_system"]
