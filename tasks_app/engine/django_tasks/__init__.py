"""The tasks framework of Django 6 on this engine (on Django 5.2 its backport, the package django-tasks).

    TASKS = {"default": {"BACKEND": "tasks_app.engine.django_tasks.EngineBackend", "QUEUES": [...], "OPTIONS": {...}}}

The rule that only registered tasks run holds here, too. A function becomes a task of the engine when the framework's `@task`
decorates it for a backend of this class (`EngineBackend.validate_task` is called for it), under its dotted path. No name is
ever resolved by an import: a message, a request or a row that names a function which this process has not declared ends as an
unknown task, exactly as for the engine's own tasks, and a message must be signed besides. What workers do not declare when
they start is refused where it would be enqueued. Declared tasks are enqueued by code only: people can cancel and retry their
jobs (superusers), but neither start nor schedule one.
"""

from tasks_app.engine.django_tasks.backend import EngineBackend, import_task_modules
from tasks_app.engine.django_tasks.ended import announce_ended

__all__ = ["EngineBackend", "announce_ended", "import_task_modules"]
