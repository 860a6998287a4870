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
from notifications_app.api.deliveries import DeliveryListView, DeliveryRetryView, DeliveryView
from notifications_app.api.destinations import (
    ChannelTestView,
    DestinationListView,
    DestinationTestView,
    DestinationView,
    SigningSecretView,
)
from notifications_app.api.inbox import (
    AcknowledgeView,
    MarkOneReadView,
    MarkReadView,
    NotificationListView,
    RecentView,
    UnreadCountView,
)
from notifications_app.api.preferences import PreferenceView
from notifications_app.api.rules import DryRunView, RuleListView, RuleView

api_urls = [
    path("tasks/notification/geofence", GeofenceAlertView.as_view(), name="notification-geofence"),
    path("tasks/notification/offline", OfflineAlertView.as_view(), name="notification-offline"),
    path("tasks/notification/speed", SpeedAlertView.as_view(), name="notification-speed"),
    path("tasks/notification/maintenance", MaintenanceReminderView.as_view(), name="notification-maintenance"),
    path("tasks/notification/daily-summary", DailySummaryView.as_view(), name="notification-daily-summary"),
    path("tasks/notification/system", SystemAlertView.as_view(), name="notification-system"),
    path("rules", RuleListView.as_view(), name="rules"),
    path("rules/dry-run", DryRunView.as_view(), name="rules-dry-run"),
    path("rules/<int:rule_id>", RuleView.as_view(), name="rule"),
    path("notifications", NotificationListView.as_view(), name="notifications"),
    path("notifications/recent", RecentView.as_view(), name="notifications-recent"),
    path("notifications/unread-count", UnreadCountView.as_view(), name="notifications-unread-count"),
    path("notifications/<int:notification_id>/acknowledge", AcknowledgeView.as_view(), name="notification-acknowledge"),
    path("preferences", PreferenceView.as_view(), name="preferences"),
    path("notifications/mark-read", MarkReadView.as_view(), name="notifications-mark-read"),
    path("notifications/<int:notification_id>/read", MarkOneReadView.as_view(), name="notification-read"),
    path("deliveries", DeliveryListView.as_view(), name="deliveries"),
    path("deliveries/<int:delivery_id>", DeliveryView.as_view(), name="delivery"),
    path("deliveries/<int:delivery_id>/retry", DeliveryRetryView.as_view(), name="delivery-retry"),
    path("destinations", DestinationListView.as_view(), name="destinations"),
    path("destinations/<int:destination_id>", DestinationView.as_view(), name="destination"),
    path("destinations/<int:destination_id>/test", DestinationTestView.as_view(), name="destination-test"),
    path("destinations/<int:destination_id>/signing-secret", SigningSecretView.as_view(), name="destination-secret"),
    path("channels/<slug:kind>/test", ChannelTestView.as_view(), name="channel-test"),
]
