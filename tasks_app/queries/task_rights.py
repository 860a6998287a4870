"""Rights to run tasks: checked here whether a call is started, scheduled, repeated or run early."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext as _

from tasks_app.engine import InvalidArguments, Task, TaskNotPermitted, UnknownTask, get_task
from tasks_app.engine.flows import TASK
from tasks_app.queries.access import Right, has_everywhere
from tasks_app.queries.job_views import JobView


def may_start(user: Any, task: Task[Any, Any]) -> bool:
    """Whether `user` may make the task run with any arguments: superusers, and staff that hold its permission."""
    return has_everywhere(user, Right(None, task.permission))


class OwnJobs:
    """Which of the jobs that `user` asked for they may still look at: those about what they have a part in now.

    The rule for members of a task says so; a task without one tells nothing about anybody's devices. Equal calls are asked
    about once.
    """

    def __init__(self, user: Any) -> None:
        self.user = user
        self._known: dict[tuple[str, str], bool] = {}

    def shows(self, view: JobView) -> bool:
        """Whether this job is one of them."""
        if self.user.pk is None or view.requested_by_id != self.user.pk:
            return False
        if view.kind != TASK:
            # It says what became of the user's own request; each member is asked about by itself.
            return True
        key = (view.task, json.dumps([view.args, view.kwargs], default=str))
        if key not in self._known:
            self._known[key] = self._is_about_own(view)
        return self._known[key]

    def _is_about_own(self, view: JobView) -> bool:
        try:
            task = get_task(view.task)
            return task.members is None or task.members(self.user, task.arguments.by_name(view.args, view.kwargs))
        except UnknownTask:
            return True
        except (InvalidArguments, LookupError):
            return False


def check_may_start(user: Any, task: Task[Any, Any], args: Sequence[Any], kwargs: dict[str, Any]) -> None:
    """Raise TaskNotPermitted unless `user` may make this call run; InvalidArguments where it does not fit the task.

    Code that enqueues for the system asks nothing: this is for what people do. A schedule is checked against the person
    who saves it, switches it on or runs it now; when it is due it runs for the system.
    """
    if may_start(user, task):
        return
    if task.members is not None and user.is_active and task.members(user, task.arguments.by_name(args, kwargs)):
        return
    raise TaskNotPermitted(_("You may not start the task %(name)s.") % {"name": task.name})
