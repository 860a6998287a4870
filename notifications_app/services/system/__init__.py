"""Alerts about the system itself, for administrators, and about rules that lost what they were limited to."""

from notifications_app.services.system.alerts import alert_administrators
from notifications_app.services.system.checks import check_system
from notifications_app.services.system.lost_limits import limits_by, switch_off_unlimited

__all__ = ["alert_administrators", "check_system", "limits_by", "switch_off_unlimited"]
