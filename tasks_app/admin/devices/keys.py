"""Giving devices the keys with which they send. A key is on the page that answers the click, and nowhere else."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action, display

from tasks_app.admin.common import badge
from tasks_app.admin.model_admin import ModelAdmin
from tasks_app.models import Device
from tasks_app.services.devices import issue_key

MAX_DEVICES = 100
ACTION = "issue_keys"


class DeviceKeysMixin(ModelAdmin):
    """The action and the column."""

    @action(description=_("Issue new keys for sending positions"), permissions=["change"])
    def issue_keys(self, request: HttpRequest, queryset: QuerySet[Device]) -> HttpResponse | None:
        devices = list(queryset.order_by("name", "id")[: MAX_DEVICES + 1])
        if len(devices) > MAX_DEVICES:
            text = _("Choose at most %(limit)d devices.") % {"limit": MAX_DEVICES}
            self.message_user(request, text, messages.ERROR)
            return None
        context: dict[str, Any] = {
            **self.admin_site.each_context(request),
            "opts": self.model._meta,
            "devices": devices,
            "action": ACTION,
            "checkbox": ACTION_CHECKBOX_NAME,
            "back": reverse("admin:tasks_app_device_changelist"),
        }
        if "confirmed" not in request.POST:
            context |= {"title": _("Issue new keys?"), "replaced": sum(bool(one.ingest_key_hash) for one in devices)}
            return _page(request, "tasks_app/admin/device_keys_confirm.html", context)
        keys = [(device, issue_key(device=device, rotate=True)) for device in devices]
        for device in devices:
            self.log_change(request, device, str(_("Issued a new key.")))
        address = request.build_absolute_uri(reverse("ingest:osmand"))
        context |= {"title": _("New keys"), "keys": keys, "address": address}
        return _page(request, "tasks_app/admin/device_keys.html", context)

    @display(description=_("key"))
    def key_state(self, device: Device) -> SafeString:
        return badge("success", _("Has a key")) if device.ingest_key_hash else badge("", _("No key"))


def _page(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    return TemplateResponse(request, template, context, headers={"Cache-Control": "no-store"})
