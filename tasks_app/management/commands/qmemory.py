"""`manage.py qmemory`: django-q2's name for a live view of memory; ours shows it beside everything else."""

from tasks_app.management.commands.qmonitor import Command

__all__ = ["Command"]
