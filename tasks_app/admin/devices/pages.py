"""Devices, their current states and latest positions."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action, display

from tasks_app.admin.common import MISSING, STATUS_BADGES, badge, format_time
from tasks_app.admin.devices.access import DeviceAccessInline
from tasks_app.admin.devices.keys import DeviceKeysMixin
from tasks_app.admin.devices.links import Link, positions_links
from tasks_app.admin.exchange import ImportExportAdmin
from tasks_app.admin.fleets import DeviceFiltersInline
from tasks_app.admin.model_admin import ChangeList, ModelAdmin
from tasks_app.admin.resources import DeviceResource
from tasks_app.models import Device, DeviceState, DeviceStatus, Geofence, Position
from tasks_app.queries.devices import devices_of_status

LATEST_POSITIONS = 50
STATE_ROWS = (
    ("status_badge", "geofences"),
    ("last_fix", "last_seen"),
    ("place", "speed"),
    ("movement", "odometer"),
    "engine_time",
)


class StatusFilter(admin.SimpleListFilter):
    """By status."""

    title = _("status")
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(DeviceStatus.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Device]) -> QuerySet[Device]:
        status = self.value()
        return devices_of_status(queryset, status) if status else queryset


class DeviceChangeList(ChangeList):
    """One query names the geofences of a whole page of devices."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        name_geofences(list(self.result_list))


def name_geofences(devices: list[Device]) -> None:
    """Give each device `geofence_names`, the areas it is in, by one query for all."""
    ids_by_device = {device.pk: state.geofence_ids for device in devices if (state := state_of(device))}
    wanted = {geofence_id for ids in ids_by_device.values() for geofence_id in ids}
    names = dict(Geofence.objects.filter(id__in=wanted).values_list("id", "name")) if wanted else {}
    for device in devices:
        found = [names[geofence_id] for geofence_id in ids_by_device.get(device.pk, ()) if geofence_id in names]
        device.geofence_names = ", ".join(sorted(found))  # type: ignore[attr-defined]


def state_of(device: Device) -> DeviceState | None:
    """The state row, or None for a device that never reported."""
    return getattr(device, "state", None)


@admin.register(Device)
class DeviceAdmin(ImportExportAdmin, DeviceKeysMixin, ModelAdmin):
    resource_classes = (DeviceResource,)
    list_display = ("heading", "fleet", "status_badge", "last_fix", "speed", "geofences", "is_active")
    list_display_links = ("heading",)
    list_filter = (StatusFilter, "fleet", "kind", "is_active")
    list_filter_sheet = False
    # Cells that the theme renders by a template each: fifty of these rows take twice the time of a page.
    list_per_page = 25
    actions = ("issue_keys", "send_command")
    list_select_related = ("fleet", "state")
    search_fields = ("name", "unique_id")
    autocomplete_fields = ("fleet",)
    inlines = (DeviceAccessInline, DeviceFiltersInline)
    change_form_outer_after_template = "tasks_app/admin/device_positions.html"
    fieldsets = (
        (None, {"fields": (("name", "unique_id"), ("fleet", "kind"), ("is_active", "key_state"))}),
        (
            _("Limits"),
            {
                "fields": (
                    ("speed_limit_kph", "offline_after_minutes"),
                    ("overspeed_tolerance_kph", "overspeed_min_seconds"),
                    "tank_liters",
                )
            },
        ),
        (_("Retention"), {"fields": (("positions_days_to_keep", "keep_positions_forever"),)}),
        (_("Now"), {"fields": STATE_ROWS}),
    )
    readonly_fields = (
        "key_state",
        "status_badge",
        "last_fix",
        "last_seen",
        "place",
        "speed",
        "geofences",
        "movement",
        "odometer",
        "engine_time",
    )

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return DeviceChangeList

    def get_fieldsets(self, request: HttpRequest, obj: Device | None = None) -> Any:
        return self.fieldsets if obj else self.fieldsets[:3]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Device]:
        return super().get_queryset(request).select_related("fleet", "state")

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        latest: QuerySet[Position] | list[Position] = []
        links: list[Link] = []
        if object_id.isdecimal() and len(object_id) < 19:
            latest = Position.objects.filter(device_id=int(object_id)).order_by("-fix_time")[:LATEST_POSITIONS]
            links = positions_links(request, int(object_id))
        shown = {"positions": latest, "positions_limit": LATEST_POSITIONS, "positions_links": links}
        context = {**(extra_context or {}), **shown}
        return super().change_view(request, object_id, form_url, context)

    @action(description=_("Send a command"), permissions=["send_command"])
    def send_command(self, request: HttpRequest, queryset: QuerySet[Device]) -> HttpResponse | None:
        """Lead to the page that asks which one."""
        most = settings.COMMANDS["MAX_DEVICES"]
        numbers = list(queryset.order_by("name", "pk").values_list("pk", flat=True)[: most + 1])
        if len(numbers) > most:
            self.message_user(request, _("Choose at most %(limit)d devices.") % {"limit": most}, messages.ERROR)
            return None
        query = urlencode([("devices", number) for number in numbers])
        return redirect(f"{reverse('admin:tasks_app_command_send')}?{query}")

    def has_send_command_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("tasks_app.add_command"))

    @display(description=_("device"), header=True, ordering="name")
    def heading(self, device: Device) -> list[str]:
        return [device.name, device.unique_id]

    @display(description=_("status"), ordering="state__status")
    def status_badge(self, device: Device) -> SafeString:
        status = DeviceStatus(state.status) if (state := state_of(device)) else DeviceStatus.UNKNOWN
        return badge(STATUS_BADGES[status], status.label)

    @display(description=_("last fix"), ordering="state__fix_time")
    def last_fix(self, device: Device) -> Any:
        return format_time(state.fix_time) if (state := state_of(device)) else MISSING

    @display(description=_("last seen"))
    def last_seen(self, device: Device) -> Any:
        return format_time(state.last_seen_at) if (state := state_of(device)) else MISSING

    @display(description=_("speed"), ordering="state__speed_kph")
    def speed(self, device: Device) -> str:
        state = state_of(device)
        return MISSING if state is None or state.speed_kph is None else f"{number_format(state.speed_kph, 0)} km/h"

    @display(description=_("inside geofences"))
    def geofences(self, device: Device) -> str:
        if not hasattr(device, "geofence_names"):
            name_geofences([device])
        return device.geofence_names or MISSING  # type: ignore[attr-defined]

    @display(description=_("position"))
    def place(self, device: Device) -> str:
        state = state_of(device)
        if state is None or state.latitude is None or state.longitude is None:
            return MISSING
        return f"{state.latitude:.5f}, {state.longitude:.5f}"

    @display(description=_("movement"))
    def movement(self, device: Device) -> Any:
        state = state_of(device)
        if state is None or state.fix_time is None:
            return MISSING
        return _("Moving") if state.is_moving else _("Standing")

    @display(description=_("odometer"))
    def odometer(self, device: Device) -> str:
        state = state_of(device)
        return MISSING if state is None else _with_sent(state.odometer_meters, state.sent_odometer_meters, 1000, "km")

    @display(description=_("engine time"))
    def engine_time(self, device: Device) -> str:
        state = state_of(device)
        return MISSING if state is None else _with_sent(state.engine_seconds, state.sent_engine_seconds, 3600, "h")


def _with_sent(counted: float, sent: float | None, units: float, name: str) -> str:
    """The computed value and, beside it, the device's own."""
    text = f"{number_format(counted / units, 1)} {name}"
    if sent is None:
        return text
    return _("%(counted)s (the device says %(sent)s)") % {
        "counted": text,
        "sent": f"{number_format(sent / units, 1)} {name}",
    }
