"""Which scope of an API token each operation asks for: two rules for all of them.

* By its method, which `ApiView` applies: reading, changing, or acting (`operate`).
* By its content: a request is **commanding** where it makes commands go to devices, or a task run that only `operate` runs at
  once, however much later. It takes `operate` besides, so that `write` is no detour. `ApiView.check_commanding` and `start`
  apply this; views name the methods that may be commanding.

What a token may always take away again: a rule that is switched off, loses its command or is deleted, as a schedule or saved
command that is deleted, sends less than before. What happens to devices is no command: positions, geofences and limits are
data, and a person who gives a rule a command makes it answer them.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.utils.translation import gettext as _
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import SAFE_METHODS

from tasks_app.engine import UnknownTask, get_task
from tasks_app.models import RuleCommands, Scope
from tasks_app.queries.sessions import scopes_of

_OPERATE = frozenset({str(Scope.OPERATE)})
# From nothing to everything.
_ALLOWED_TO_RULES = tuple(RuleCommands.values)


def needed_scopes(view: Any, method: str) -> frozenset[str]:
    """The scopes of which one is needed for this method of a view (class or instance); none: every token may."""
    scopes: Collection[Scope] = view.scopes_to_read if method in SAFE_METHODS else view.scopes_to_change
    return frozenset(scopes)


def check_scope(token: Any, needed: frozenset[str]) -> None:
    """Raise PermissionDenied (403, `insufficient_scope`) for a token that has none of the needed scopes."""
    if needed and not needed & scopes_of(token):
        text = _("This token may not do that; one of these scopes is needed: %(scopes)s.")
        raise PermissionDenied(text % {"scopes": ", ".join(sorted(needed))}, "insufficient_scope")


def check_commanding(token: Any, is_commanding: bool) -> None:
    """Raise as `check_scope` where a commanding request came with this token (None: in a session), which may not operate."""
    if token is not None and is_commanding:
        check_scope(token, _OPERATE)


def runs_by_operate(task_name: str) -> bool:
    """Whether only `operate` has this task run. No task is refused later, with a better reason."""
    try:
        return get_task(task_name).needs_operate
    except UnknownTask:
        return False


def allows_more(former: str, allowed: str) -> bool:
    """Whether rules may send more commands to the devices of a fleet that allows them `allowed` in place of `former`."""
    return _ALLOWED_TO_RULES.index(allowed) > _ALLOWED_TO_RULES.index(former)
