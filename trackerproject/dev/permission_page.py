"""The page of permissions in the documentation, written from the URLs, the admin's pages and the tasks themselves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.contrib.admin import ModelAdmin
from django.contrib.admin.options import InlineModelAdmin
from django.http import HttpRequest
from django.urls import URLPattern, URLResolver, get_resolver

from tasks_app.api.scopes import needed_scopes, runs_by_operate
from tasks_app.engine import Task, registered_tasks
from tasks_app.queries.access import Right
from trackerproject.staff_groups import FIRST_GROUPS, GROUPS

VERBS = ("view", "add", "change", "delete")
HEAD = """# Permissions

Written by `manage.py permissions`; a test keeps it true. Members of a fleet may do what their role allows (viewer, operator,
manager; each includes the ones before). Staff may do, in every fleet, what their permissions allow, in the API as in the admin;
staff without permissions may do nothing. Who may change a thing may look at it. Superusers may do everything. "Own" is what a
person asked for or what is about them.
"""
API_TEXT = """
An API token needs one of the scopes in the last column besides the rights of its owner; log-in sessions need none. A request is
**commanding**, and takes the scope `operate` as well as `write`, if by it commands go to devices or a task of `operate` (see
[below](#tasks)) runs, now or later:

* to make a rule with a command, or change a rule that has one, also one that is switched off;
* to change a saved command, which rules, people and programs send by its name or number;
* to allow a fleet's rules more commands (`rule_commands`);
* to make, change or try out a schedule of a task of `operate`.

What only makes less happen takes `write` alone: to take the command away from a rule, to do nothing but switch the rule off, to
delete rules, schedules and saved commands, to allow a fleet's rules fewer commands. What happens to devices is not commanding
either: a rule with a command answers positions, geofences, limits and plans as they are, by whatever scope they were written.
"""
TASKS_TEXT = """
Asked for by every way in: the API, the admin, a schedule when it is saved, switched on or run now, a retry, a job that is
hurried. The pages of jobs and schedules ask for their own permissions besides. "Members": people without the permission may
make calls about devices they operate, reports they see, or themselves. A schedule that is due runs for the system and
checks no rights, so delete the schedules of users who leave. A user with a shell on the
machine (`manage.py`) may do everything. Tasks of no permission are for superusers. The scope is what an API token needs to
start the task or to save a schedule of it; to repeat a job, hurry it or run a schedule now takes `operate` of every task.
"""
GROUPS_TEXT = """
Migrations make four groups for staff, each with all permissions of those before it: Read only, Operator (acts: jobs,
queues, imports, reports, upkeep), Fleet manager (fleets with their members, devices, geofences, rules) and Administrator
(schedules, users, retention, deletion of data). Put a user with "staff status" into one of them. Superusers may change the
groups; updates give permissions on new models only. The table says from which group on a permission is held; other permissions
that Django lists have no effect.
"""


@dataclass(frozen=True)
class Operation:
    """One method of one address of the API."""

    method: str
    route: str
    right: Right
    scopes: str


class _Holder:
    """A user with these permissions only, or a superuser."""

    is_active = is_staff = is_authenticated = True
    pk = None

    def __init__(self, *permissions: str, is_superuser: bool = False) -> None:
        self.permissions, self.is_superuser = set(permissions), is_superuser
        self.asked: list[str] = []

    def has_perm(self, name: str, obj: Any = None) -> bool:
        self.asked.append(name)
        return self.is_superuser or name in self.permissions


def api_operations() -> list[Operation]:
    """Return every operation of the API that requires a right, by URL."""
    found = []
    for route, view in route_views(get_resolver()):
        rights = getattr(view, "rights", {})
        found += [
            Operation(method, route, right, token_scopes(view, method))
            for method, right in rights.items()
            if hasattr(view, method.lower())
        ]
    return sorted(found, key=lambda one: (one.route, one.method))


def token_scopes(view: Any, method: str) -> str:
    """Return the scopes of which an API token needs one for this method of a view, as the page shows them."""
    names = " or ".join(sorted(needed_scopes(view, method))) or "any"
    return f"{names}, and operate if commanding" if method in view.commanding else names


def route_views(resolver: URLResolver, prefix: str = "/") -> Iterable[tuple[str, Any]]:
    """Yield every route below the resolver with its view class (None: a function)."""
    for pattern in resolver.url_patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            yield route, getattr(pattern.callback, "cls", None)
        else:
            yield from route_views(pattern, route)


def admin_asks(page: ModelAdmin[Any] | InlineModelAdmin[Any, Any], verb: str) -> str:
    """Return the right that a page of the admin, or a part of one, requires: a permission, `superusers`, or `nobody`."""
    without = _Holder()
    _allows(page, verb, without)
    for name in (f"{page.opts.app_label}.{verb}_{page.opts.model_name}", *without.asked):
        if _allows(page, verb, _Holder(name)):
            return name
    return "superusers" if _allows(page, verb, _Holder(is_superuser=True)) else "nobody"


def _allows(page: ModelAdmin[Any] | InlineModelAdmin[Any, Any], verb: str, user: Any) -> bool:
    request = HttpRequest()
    request.user = user
    row = (None,) if isinstance(page, InlineModelAdmin) else ()
    return bool(getattr(page, f"has_{verb}_permission")(request, *row))


def admin_pages() -> list[ModelAdmin[Any]]:
    return sorted(admin.site._registry.values(), key=lambda page: page.opts.label_lower)


def product_tasks() -> list[Task[Any, Any]]:
    names = ("tasks_app.", "notifications_app.", "reports_app.")
    return [task for task in registered_tasks() if task.function.__module__.startswith(names)]


def permission_page() -> str:
    """Return the page in Markdown."""
    api = [[f"`{one.method} {one.route}`", *_cells(one.right), one.scopes] for one in api_operations()]
    pages = [
        [f"`{page.opts.label_lower}`", *(_code(admin_asks(page, verb)) for verb in VERBS), _actions(page)]
        for page in admin_pages()
    ]
    groups = [
        [f"`{model}`", *(GROUPS.get(letter, "–") for letter in letters)]
        for model, letters in sorted(FIRST_GROUPS.items())
        if letters != "----"
    ]
    tasks = [
        [
            f"`{task.name}`",
            _code(task.permission or "superusers"),
            "members" if task.members else "–",
            "operate" if runs_by_operate(task.name) else "write",
        ]
        for task in product_tasks()
    ]
    return "\n".join(
        [
            HEAD,
            "## The API",
            API_TEXT,
            *_table(["Operation", "Role in the fleet", "Permission of staff", "Own", "Scope of a token"], api),
            "\n## The admin\n",
            *_table(["Page", *(f"To {verb}" for verb in VERBS), "Actions ask for"], pages),
            "\n## Groups",
            GROUPS_TEXT,
            *_table(["Rows of", *(f"To {verb}" for verb in VERBS)], groups),
            "\n## Tasks",
            TASKS_TEXT,
            *_table(["Task", "Permission", "Without it", "Scope of a token"], tasks),
            "",
        ]
    )


def _cells(right: Right) -> list[str]:
    permission = right.permission or ("–" if right.is_own else "superusers")
    return [str(right.role.value) if right.role else "–", _code(permission), "own" if right.is_own else "–"]


def _actions(page: ModelAdmin[Any]) -> str:
    found = []
    for name in page.actions or ():
        action = getattr(page, name) if isinstance(name, str) else name
        asks = ", ".join(getattr(action, "allowed_permissions", ())) or "–"
        found.append(f"{getattr(action, '__name__', name)}: {asks}")
    return "; ".join(found) or "–"


def _code(text: str) -> str:
    return f"`{text}`" if "." in text else text


def _table(heads: list[str], rows: list[list[str]]) -> list[str]:
    lines = [heads, ["---"] * len(heads), *rows]
    return ["| " + " | ".join(cells) + " |" for cells in lines]
