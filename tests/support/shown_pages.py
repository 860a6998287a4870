"""The address of every page, about the rows of a world; an address in no list of these makes a test fail."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

from django.contrib import admin
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from notifications_app.messages.unsubscribe_links import Subscription, token_of
from reports_app.models import Report
from reports_app.services.files.links import report_link
from tasks_app.models import Command
from tests.support.route_cases import World, ensure_row

# Data, files, forms without a page, ways to another page; steps of workers look as those of queues.
NO_PAGES = {
    "admin:app_list", "admin:autocomplete", "admin:django_q_schedule_add", "admin:django_q_schedule_check",
    "admin:tasks_app_command_add", "admin:tasks_app_command_send_type",
    "admin:django_q_schedule_step", "admin:jsi18n", "admin:knox_authtoken_change", "admin:login", "admin:logout",
    "admin:notifications_app_destination_test", "admin:notifications_app_messagetemplate_check",
    "admin:notifications_app_rule_check", "admin:notifications_app_rule_dry_run_check",
    "admin:notifications_app_rule_pick", "admin:password_change", "admin:password_change_done",
    "admin:reports_app_report_as", "admin:reports_app_report_download", "admin:search",
    "admin:tasks_app_cluster_step", "admin:tasks_app_device_process_import",
    "admin:tasks_app_geofence_process_import", "admin:tasks_app_job_add", "admin:tasks_app_job_complete",
    "admin:tasks_app_job_export", "admin:tasks_app_job_history", "admin:tasks_app_job_pick",
    "admin:tasks_app_job_remove_view", "admin:tasks_app_job_save_view", "admin:tasks_app_job_start_check",
    "admin:tasks_app_retentionsettings_changelist", "admin:tasks_app_worker_step", "admin:view_on_site",
    "pages:area_text", "pages:log_in_code", "pages:destination_enable", "pages:destination_test", "pages:device_place",
    "pages:device_replay", "pages:geofence_delete", "pages:login", "pages:logout", "pages:manifest",
    "pages:notification_acknowledge", "pages:notification_read", "pages:notifications_read",
    "pages:everything_end", "pages:other_sessions_end", "pages:pick", "pages:report_download", "pages:report_schedule_run",
    "pages:report_schedule_switch", "pages:session_end", "pages:token_add", "pages:token_revoke",
}  # fmt: skip
DRIVEN_DAY = "2026-03-02"
FORBIDDEN = "/admin/tasks_app/event/add/"


def member_pages(world: World) -> list[str]:
    """Every page at /. `world` has a driven device, and reports that are ready, failed and queued."""
    others = {
        "pages:device_command_send": [{"device_id": world["reached_device_id"], "type_name": "engine_stop"}],
        "pages:report_ask_kind": [{"kind": "trips"}, {"kind": "summary"}],
        "pages:report_cancel": [{"report_id": world["queued_report_id"]}],
        "pages:report_retry": [{"report_id": world["failed_report_id"]}],
        "pages:report": [{"report_id": world["report_id"]}, {"report_id": world["queued_report_id"]}],
    }
    rows = {**world, "schedule_id": world["report_schedule_id"]}
    found = [
        reverse("pages:device_day", args=[world["device_id"]]) + f"?date={DRIVEN_DAY}",
        reverse("pages:trips") + f"?device=Van 1&date={DRIVEN_DAY}",
        "/devices/999999/",
    ]
    for name, pattern in patterns_of("pages").items():
        arguments = others.get(name) or [{each: rows[each] for each in pattern.pattern.converters}]
        found += [reverse(name, kwargs=each) for each in arguments]
    return found


def admin_pages(world: World) -> list[str]:
    """The list, the forms and one more page of every model, and every page that is not of a model."""
    found = [reverse("live_map"), reverse("own_settings"), reverse("admin:index") + "nowhere/", FORBIDDEN]
    found += [reverse("trackers"), reverse("tracker_frames", args=[world["device_id"]])]
    found.append(reverse("admin:tasks_app_job_change", args=[world["waiting"]]))
    of_models, others = _pages_of_models(world["user"]), _admin_arguments(world)
    for name in patterns_of("admin"):
        found += of_models.get(name) or [reverse(name, kwargs=each) for each in others.get(name, [{}])]
    devices = f"?devices={world['reached_device_id']}"
    found.append(reverse("admin:tasks_app_command_send") + devices)
    found.append(reverse("admin:tasks_app_command_send_type", args=["engine_stop"]) + devices)
    found.append(reverse("admin:tasks_app_savedcommand_add") + "?type=output")
    batch = Command.objects.get(pk=world["command_id"]).batch
    found.append(reverse("admin:tasks_app_command_changelist") + f"?batch={batch}")
    failed = reverse("admin:tasks_app_job_bulk", args=["retry"]) + "?state=failed"
    return list(dict.fromkeys([*found, failed, reverse("admin:tasks_app_job_start") + "?start=repeat"]))


def _admin_arguments(world: World) -> dict[str, list[dict[str, Any]]]:
    waiting = [{"job_id": world["waiting"]}]
    positions = {"verb": "pause", "queue": "positions", "name": "process_position_batch"}
    # One's own password has another page.
    other, _is_new = User.objects.get_or_create(username="carol")
    return {
        "admin:auth_user_password_change": [{"id": other.pk}],
        "admin:notifications_app_rule_dry_run": [{"rule_id": world["rule_id"]}],
        "admin:reports_app_report_cancel": [{"report_id": world["queued_report_id"]}],
        "admin:reports_app_report_retry": [{"report_id": world["failed_report_id"]}],
        "admin:tasks_app_command_cancel": [{"command_id": world["command_id"]}],
        "admin:tasks_app_command_confirm": [{"command_id": world["command_id"]}],
        "admin:tasks_app_job_bulk": [{"verb": "cancel"}],
        "admin:tasks_app_job_cancel": waiting,
        "admin:tasks_app_job_priority": waiting,
        "admin:tasks_app_job_run_now": waiting,
        "admin:tasks_app_job_retry": [{"job_id": world["task_id"]}],
        "admin:tasks_app_job_start_task": [
            {"task_name": "generate_device_report"}, {"task_name": "cleanup_old_positions"},
        ],
        "admin:tasks_app_queue_step": [{"name": "positions", "verb": "purge"}],
        "admin:tasks_app_task_step": [positions],
    }  # fmt: skip


def _pages_of_models(user: User) -> dict[str, list[str]]:
    """By name. What nobody may add by hand has no form for it, but the page that says so, which is FORBIDDEN for all."""
    request = HttpRequest()
    request.user = user
    found = {}
    for model, pages in admin.site._registry.items():
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        row = [ensure_row(model).pk]
        arguments = {"changelist": [], "add": [], "change": row, "delete": row, "history": row}
        found |= {f"{name}_{kind}": [reverse(f"{name}_{kind}", args=each)] for kind, each in arguments.items()}
        if not pages.has_add_permission(request):
            found[f"{name}_add"] = [FORBIDDEN]
    return found


def patterns_of(namespace: str) -> dict[str, URLPattern]:
    """Every address of a namespace that shows a page, by name."""
    within = [one for one in get_resolver().url_patterns if getattr(one, "namespace", None) == namespace]
    named = {f"{namespace}:{one.name}": one for one in _walk(within) if one.name}
    return {name: one for name, one in named.items() if name not in NO_PAGES and not _is_repeated(name)}


def _is_repeated(name: str) -> bool:
    """Confirmations of deletions and histories are the theme's, alike for all: those of a device stand for them."""
    return name.endswith(("_delete", "_history")) and name.startswith("admin:") and "tasks_app_device_" not in name


def _walk(patterns: Iterable[URLPattern | URLResolver]) -> Iterator[URLPattern]:
    for one in patterns:
        if isinstance(one, URLPattern):
            yield one
        else:
            yield from _walk(one.url_patterns)


def open_pages(world: World) -> list[str]:
    """Pages that ask nobody to sign in."""
    share = report_link(Report.objects.get(pk=world["report_id"]), world["user"])
    subscription = Subscription(world["user"].pk, world["rule_id"], "geofence")
    unsubscribe = reverse("unsubscribe", args=[token_of(subscription)])
    return [reverse("pages:login"), reverse("admin:login"), "/nowhere/", urlsplit(share).path, unsubscribe]
