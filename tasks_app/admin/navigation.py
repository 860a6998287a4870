"""The side bar of the admin. Pages that the user may not view are left out; apps above register theirs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from tasks_app.admin.live_map import may_see_live_map
from tasks_app.admin.trackers import may_see_trackers

Item = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """The list page of a model, offered to users who may view its rows."""

    title: str | Promise
    icon: str
    app: str
    model: str


@dataclass(frozen=True, slots=True)
class Section:
    """A section that an app above adds to the side bar."""

    title: str | Promise
    pages: list[Page] = field(default_factory=list)


_fleet_pages: list[Page] = []
_sections: list[Section] = []


def register_fleet_pages(*pages: Page) -> None:
    """Add pages of an app above to the end of the section of the fleet."""
    _fleet_pages.extend(pages)


def register_section(section: Section) -> None:
    """Add a section of an app above after the one of the fleet."""
    _sections.append(section)


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """Return Unfold's SIDEBAR.navigation."""
    return [
        {"items": [{"title": _("Overview"), "icon": "dashboard", "link": reverse("admin:index")}]},
        {"title": _("Background work"), "items": _background_work()},
        {"title": _("Fleet"), "items": [*_fleet(), *map(_registered, _fleet_pages)]},
        *({"title": section.title, "items": [*map(_registered, section.pages)]} for section in _sections),
        {"title": _("Storage"), "items": _storage()},
        {"title": _("Access"), "items": _access()},
    ]


def _background_work() -> list[Item]:
    return [
        _page(_("Jobs"), "list_alt", "tasks_app", "job", is_active=_is_jobs_page),
        _start_item(),
        _queues_item(),
        _page(_("Schedules"), "schedule", "django_q", "schedule"),
    ]


def _fleet() -> list[Item]:
    return [
        _live_map_item(),
        _page(_("Devices"), "local_shipping", "tasks_app", "device"),
        _trackers_item(),
        _page(_("Commands"), "settings_remote", "tasks_app", "command"),
        _page(_("Saved commands"), "bookmarks", "tasks_app", "savedcommand"),
        _page(_("Fleets"), "groups", "tasks_app", "fleet"),
        _page(_("Geofences"), "share_location", "tasks_app", "geofence"),
        _page(_("Events"), "bolt", "tasks_app", "event"),
        _page(_("Quarantine"), "report", "tasks_app", "quarantinedfix"),
        _page(_("Filtered fixes"), "filter_alt", "tasks_app", "filteredfix"),
        _page(_("Filtered per day"), "functions", "tasks_app", "filtercount"),
        _page(_("Maintenance"), "build", "tasks_app", "maintenanceplan"),
        _imports_item(),
    ]


def _storage() -> list[Item]:
    return [
        _page(_("Sizes and forecast"), "database", "tasks_app", "storagesample"),
        _page(_("Archives of positions"), "inventory_2", "tasks_app", "positionarchive"),
        _retention_item(),
    ]


def _access() -> list[Item]:
    return [
        _page(_("Users"), "person", "auth", "user"),
        _page(_("Groups"), "group", "auth", "group"),
        _page(_("API tokens"), "key", "knox", "authtoken"),
        _page(_("Failed log-ins"), "lock", "axes", "accessattempt"),
        _page(_("Audit"), "history", "tasks_app", "auditentry"),
    ]


def _registered(page: Page) -> Item:
    return _page(str(page.title), page.icon, page.app, page.model)


def _page(title: str, icon: str, app: str, model: str, is_active: Callable[[HttpRequest], bool] | None = None) -> Item:
    item: Item = {
        "title": title,
        "icon": icon,
        "link": reverse(f"admin:{app}_{model}_changelist"),
        "permission": lambda request: _may_view(request, app, model),
    }
    return {**item, "active": is_active} if is_active else item


def _may_view(request: HttpRequest, app: str, model: str) -> bool:
    return any(request.user.has_perm(f"{app}.{verb}_{model}") for verb in ("view", "change"))


def _start_item() -> Item:
    return {
        "title": _("Start a task"),
        "icon": "play_circle",
        "link": reverse("admin:tasks_app_job_start"),
        "permission": lambda request: request.user.has_perm("tasks_app.add_job"),
    }


def _queues_item() -> Item:
    return {
        "title": _("Queues and workers"),
        "icon": "lan",
        "link": reverse("admin:tasks_app_queues"),
        "permission": lambda request: _may_view(request, "tasks_app", "job"),
    }


def _imports_item() -> Item:
    return {
        "title": _("Import positions"),
        "icon": "upload_file",
        "link": reverse("admin:tasks_app_positionupload_changelist"),
        "permission": lambda request: (
            request.user.has_perm("tasks_app.add_position") or request.user.has_perm("tasks_app.view_positionupload")
        ),
    }


def _retention_item() -> Item:
    return {
        "title": _("Retention"),
        "icon": "auto_delete",
        "link": reverse("admin:tasks_app_retentionsettings_change", args=[1]),
        "permission": lambda request: _may_view(request, "tasks_app", "retentionsettings"),
    }


def _live_map_item() -> Item:
    return {"title": _("Live map"), "icon": "map", "link": reverse("live_map"), "permission": may_see_live_map}


def _trackers_item() -> Item:
    return {"title": _("Trackers"), "icon": "router", "link": reverse("trackers"), "permission": may_see_trackers}


def _is_jobs_page(request: HttpRequest) -> bool:
    """Every page about jobs but those that have an item of their own."""
    others = (reverse("admin:tasks_app_job_start"), reverse("admin:tasks_app_queues"))
    return request.path.startswith(reverse("admin:tasks_app_job_changelist")) and not request.path.startswith(others)
