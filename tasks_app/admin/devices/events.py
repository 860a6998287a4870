"""Events, as the pipeline recorded them."""

from __future__ import annotations

from django.contrib import admin
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from tasks_app.admin.common import MISSING, ReadOnlyAdmin, badge
from tasks_app.admin.exchange import ExportAdmin
from tasks_app.admin.long_lists import LongListAdmin
from tasks_app.admin.resources import EventResource
from tasks_app.models import Event, EventKind
from tasks_app.utils.clock import exact_time_with_zone
from tasks_app.web.event_details import event_details

KIND_BADGES: dict[str, str] = {
    EventKind.GEOFENCE_ENTER: "info",
    EventKind.GEOFENCE_EXIT: "info",
    EventKind.OVERSPEED: "danger",
    EventKind.OVERSPEED_END: "",
    EventKind.DEVICE_OFFLINE: "warning",
    EventKind.DEVICE_ONLINE: "success",
    EventKind.IGNITION_ON: "",
    EventKind.IGNITION_OFF: "",
    EventKind.ALARM: "danger",
    EventKind.BATTERY_LOW: "warning",
    EventKind.COMMAND_RESULT: "",
    EventKind.TRIP_START: "",
    EventKind.TRIP_END: "",
    EventKind.MAINTENANCE_DUE_SOON: "warning",
    EventKind.MAINTENANCE_DUE: "danger",
}


@admin.register(Event)
class EventAdmin(LongListAdmin, ExportAdmin, ReadOnlyAdmin):
    resource_classes = (EventResource,)
    list_display = ("when", "kind_badge", "device", "geofence_name", "details")
    list_filter = ("kind", "device__fleet")
    linked_lookups = ("device__id__exact",)
    list_filter_sheet = False
    list_select_related = ("device", "geofence")
    search_fields = ("device__name", "device__unique_id", "geofence__name")
    date_hierarchy = "occurred_at"
    fields = ("kind_badge", "device", "geofence", "occurred_at", "created_at", "latitude", "longitude", "data")

    @display(description=_("event"), ordering="kind")
    def kind_badge(self, event: Event) -> SafeString:
        return badge(KIND_BADGES.get(event.kind, ""), event.get_kind_display())

    @display(description=_("geofence"), ordering="geofence")
    def geofence_name(self, event: Event) -> str:
        return event.geofence_name or MISSING

    @display(description=_("details"))
    def details(self, event: Event) -> str:
        return " · ".join(event_details(event.data)) or MISSING

    @display(description=_("occurred at"), ordering="occurred_at")
    def when(self, event: Event) -> SafeString:
        return exact_time_with_zone(event.occurred_at)
