"""How a device is reached, on its page."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from tasks_app.admin.model_admin import StackedInline
from tasks_app.models import DeviceAccess
from tasks_app.web.device_access import DeviceAccessForm


class AdminDeviceAccessForm(DeviceAccessForm):
    """The same fields, as the theme has them."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        if "ways" in self.fields:
            for select in self.fields["ways"].widget.widgets:
                select.attrs["class"] = UnfoldAdminSelectWidget().attrs["class"]
        if "allowed_networks" in self.fields:
            self.fields["allowed_networks"].widget = UnfoldAdminTextareaWidget({"rows": 3, "spellcheck": "false"})
        if "new_password" in self.fields:
            self.fields["new_password"].widget.attrs["class"] = UnfoldAdminTextInputWidget().attrs["class"]


class DeviceAccessInline(StackedInline):
    """Its rights are those of the device."""

    model = DeviceAccess
    form = AdminDeviceAccessForm
    extra = 1
    max_num = 1
    can_delete = False
    fields = (
        ("protocol", "relay_variant", "zone_minutes"),
        "ways",
        ("phone_number", "last_connected_at"),
        ("new_password", "forget_password"),
        "allowed_networks",
    )
    readonly_fields = ("last_connected_at",)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return any(request.user.has_perm(f"tasks_app.{verb}_device") for verb in ("view", "change"))

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_change_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("tasks_app.change_device")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
