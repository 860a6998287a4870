"""Addresses of the API that belong to fleets and tasks. Those of reports and notifications are in their packages."""

from __future__ import annotations

from django.urls import path, register_converter

from tasks_app.api.accounts import LoginView, LogoutView
from tasks_app.api.audit import AuditListView
from tasks_app.api.cleanup import cleanup_view
from tasks_app.api.commands import (
    CommandBulkView,
    CommandCancelView,
    CommandConfirmView,
    CommandListView,
    CommandView,
    DeviceCommandTypesView,
    SavedCommandListView,
    SavedCommandView,
)
from tasks_app.api.devices import (
    DeviceAccessView,
    DeviceBulkView,
    DeviceKeyRotateView,
    DeviceKeyView,
    DeviceListView,
    DeviceOdometerView,
    DeviceStateView,
    DeviceStatisticsView,
    DeviceStatusView,
    DeviceView,
    EventListView,
    MaintenanceDoneView,
    MaintenanceHistoryView,
    MaintenanceListView,
    MaintenanceView,
    NearestDevicesView,
)
from tasks_app.api.fleets import (
    FleetListView,
    FleetView,
    GeofenceDevicesView,
    GeofenceListView,
    GeofenceView,
    MemberListView,
    MemberView,
)
from tasks_app.api.intake import ImportPositionsView, ImportView, ProcessBatchView, ProcessPositionView
from tasks_app.api.jobs import (
    BulkCancelView,
    BulkRetryView,
    BulkRunNowView,
    ClusterGrowView,
    ClusterShrinkView,
    JobCancelView,
    JobDetailView,
    JobListView,
    JobPriorityView,
    JobRetryView,
    JobRunNowView,
    QueueListView,
    QueuePauseView,
    QueuePurgeView,
    QueueResumeView,
    StatsView,
    StatusView,
    TaskPauseView,
    TaskResumeView,
    WorkerListView,
    WorkerQuietView,
    WorkerStopView,
    WorkerWakeView,
)
from tasks_app.api.monitoring import HealthView, LiveView, MetricsView, ReadyView
from tasks_app.api.own_access import LogoutEverywhereView, SessionListView, SessionView, TokenListView, TokenView
from tasks_app.api.path_converters import AnyCaseUUID
from tasks_app.api.positions import PositionListView
from tasks_app.api.schedules import (
    ScheduleDisableView,
    ScheduleEnableView,
    ScheduleListView,
    ScheduleRunNowView,
    ScheduleValidateView,
    ScheduleView,
)
from tasks_app.api.trackers import TrackerListView
from tasks_app.services.cleanup import CLEANUPS

register_converter(AnyCaseUUID, "any_uuid")

probe_urls = [
    path("health", HealthView.as_view(), name="health"),
    path("health/live", LiveView.as_view(), name="health-live"),
    path("health/ready", ReadyView.as_view(), name="health-ready"),
    path("metrics", MetricsView.as_view(), name="metrics"),
]

api_urls = [
    path("auth/login", LoginView.as_view(), name="login"),
    path("auth/logout", LogoutView.as_view(), name="logout"),
    path("auth/logout-everywhere", LogoutEverywhereView.as_view(), name="logout-everywhere"),
    path("auth/tokens", TokenListView.as_view(), name="tokens"),
    path("auth/tokens/<str:token_key>", TokenView.as_view(), name="token"),
    path("auth/sessions", SessionListView.as_view(), name="sessions"),
    path("auth/sessions/<str:session_id>", SessionView.as_view(), name="session"),
    path("audit", AuditListView.as_view(), name="audit"),
    path("tasks", JobListView.as_view(), name="task-list"),
    path("tasks/status", StatusView.as_view(), name="status"),
    path("tasks/queues", QueueListView.as_view(), name="queues"),
    path("tasks/workers", WorkerListView.as_view(), name="workers"),
    path("tasks/stats", StatsView.as_view(), name="stats"),
    path("tasks/task/<any_uuid:task_id>", JobDetailView.as_view(), name="task-detail"),
    path("tasks/task/<any_uuid:task_id>/cancel", JobCancelView.as_view(), name="task-cancel"),
    path("tasks/task/<any_uuid:task_id>/retry", JobRetryView.as_view(), name="task-retry"),
    path("tasks/task/<any_uuid:task_id>/run-now", JobRunNowView.as_view(), name="task-run-now"),
    path("tasks/task/<any_uuid:task_id>/priority", JobPriorityView.as_view(), name="task-priority"),
    path("tasks/cancel", BulkCancelView.as_view(), name="tasks-cancel"),
    path("tasks/run-now", BulkRunNowView.as_view(), name="tasks-run-now"),
    path("tasks/retry", BulkRetryView.as_view(), name="tasks-retry"),
    path("tasks/queues/<str:name>/pause", QueuePauseView.as_view(), name="queue-pause"),
    path("tasks/queues/<str:name>/resume", QueueResumeView.as_view(), name="queue-resume"),
    path("tasks/queues/<str:name>/purge", QueuePurgeView.as_view(), name="queue-purge"),
    path("tasks/queues/<str:name>/tasks/<str:task>/pause", TaskPauseView.as_view(), name="task-pause"),
    path("tasks/queues/<str:name>/tasks/<str:task>/resume", TaskResumeView.as_view(), name="task-resume"),
    path("tasks/workers/<str:name>/quiet", WorkerQuietView.as_view(), name="worker-quiet"),
    path("tasks/workers/<str:name>/wake", WorkerWakeView.as_view(), name="worker-wake"),
    path("tasks/workers/<str:name>/stop", WorkerStopView.as_view(), name="worker-stop"),
    path("tasks/clusters/<str:name>/<str:queue>/grow", ClusterGrowView.as_view(), name="cluster-grow"),
    path("tasks/clusters/<str:name>/<str:queue>/shrink", ClusterShrinkView.as_view(), name="cluster-shrink"),
    path("tasks/schedules", ScheduleListView.as_view(), name="schedules"),
    path("tasks/schedules/validate", ScheduleValidateView.as_view(), name="schedule-validate"),
    path("tasks/schedules/<int:schedule_id>", ScheduleView.as_view(), name="schedule"),
    path("tasks/schedules/<int:schedule_id>/run-now", ScheduleRunNowView.as_view(), name="schedule-run-now"),
    path("tasks/schedules/<int:schedule_id>/enable", ScheduleEnableView.as_view(), name="schedule-enable"),
    path("tasks/schedules/<int:schedule_id>/disable", ScheduleDisableView.as_view(), name="schedule-disable"),
    path("tasks/position/process-batch", ProcessBatchView.as_view(), name="position-process-batch"),
    path("tasks/position/process", ProcessPositionView.as_view(), name="position-process"),
    path("tasks/position/statistics", DeviceStatisticsView.as_view(), name="position-statistics"),
    path("tasks/position/status", DeviceStatusView.as_view(), name="position-status"),
    *(path(f"tasks/cleanup/{kind}", cleanup_view(kind), name=f"cleanup-{kind}") for kind in CLEANUPS),
    path("positions/import", ImportPositionsView.as_view(), name="positions-import"),
    path("positions/import/<int:upload_id>", ImportView.as_view(), name="positions-import-detail"),
    path("positions", PositionListView.as_view(), name="positions"),
    path("events", EventListView.as_view(), name="events"),
    path("devices", DeviceListView.as_view(), name="devices"),
    path("devices/bulk", DeviceBulkView.as_view(), name="devices-bulk"),
    path("devices/nearest", NearestDevicesView.as_view(), name="devices-nearest"),
    path("devices/<int:device_id>", DeviceView.as_view(), name="device"),
    path("devices/<int:device_id>/access", DeviceAccessView.as_view(), name="device-access"),
    path("devices/<int:device_id>/command-types", DeviceCommandTypesView.as_view(), name="device-command-types"),
    path("devices/<int:device_id>/key", DeviceKeyView.as_view(), name="device-key"),
    path("devices/<int:device_id>/key/rotate", DeviceKeyRotateView.as_view(), name="device-key-rotate"),
    path("devices/<int:device_id>/odometer", DeviceOdometerView.as_view(), name="device-odometer"),
    path("devices/<int:device_id>/state", DeviceStateView.as_view(), name="device-state"),
    path("trackers", TrackerListView.as_view(), name="trackers"),
    path("commands", CommandListView.as_view(), name="commands"),
    path("commands/bulk", CommandBulkView.as_view(), name="commands-bulk"),
    path("commands/saved", SavedCommandListView.as_view(), name="saved-commands"),
    path("commands/saved/<int:saved_id>", SavedCommandView.as_view(), name="saved-command"),
    path("commands/<int:command_id>", CommandView.as_view(), name="command"),
    path("commands/<int:command_id>/cancel", CommandCancelView.as_view(), name="command-cancel"),
    path("commands/<int:command_id>/confirm", CommandConfirmView.as_view(), name="command-confirm"),
    path("fleets", FleetListView.as_view(), name="fleets"),
    path("fleets/<int:fleet_id>", FleetView.as_view(), name="fleet"),
    path("fleets/<int:fleet_id>/members", MemberListView.as_view(), name="members"),
    path("fleets/<int:fleet_id>/members/<int:user_id>", MemberView.as_view(), name="member"),
    path("maintenance", MaintenanceListView.as_view(), name="maintenance"),
    path("maintenance/<int:plan_id>", MaintenanceView.as_view(), name="maintenance-plan"),
    path("maintenance/<int:plan_id>/done", MaintenanceDoneView.as_view(), name="maintenance-done"),
    path("maintenance/<int:plan_id>/history", MaintenanceHistoryView.as_view(), name="maintenance-history"),
    path("geofences", GeofenceListView.as_view(), name="geofences"),
    path("geofences/<int:geofence_id>", GeofenceView.as_view(), name="geofence"),
    path("geofences/<int:geofence_id>/devices", GeofenceDevicesView.as_view(), name="geofence-devices"),
]
