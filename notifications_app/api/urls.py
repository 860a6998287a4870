"""Addresses of notifications, under /api/."""

from __future__ import annotations

from django.urls import path

from notifications_app.api.alerts import (
    DailySummaryView,
    GeofenceAlertView,
    MaintenanceReminderView,
    OfflineAlertView,
    SpeedAlertView,
    SystemAlertView,
)
from notifications_app.api.inbox import MarkOneReadView, MarkReadView, NotificationListView

api_urls = [
    path("tasks/notification/geofence", GeofenceAlertView.as_view(), name="notification-geofence"),
    path("tasks/notification/offline", OfflineAlertView.as_view(), name="notification-offline"),
    path("tasks/notification/speed", SpeedAlertView.as_view(), name="notification-speed"),
    path("tasks/notification/maintenance", MaintenanceReminderView.as_view(), name="notification-maintenance"),
    path("tasks/notification/daily-summary", DailySummaryView.as_view(), name="notification-daily-summary"),
    path("tasks/notification/system", SystemAlertView.as_view(), name="notification-system"),
    path("notifications", NotificationListView.as_view(), name="notifications"),
    path("notifications/mark-read", MarkReadView.as_view(), name="notifications-mark-read"),
    path("notifications/<int:notification_id>/read", MarkOneReadView.as_view(), name="notification-read"),
]
