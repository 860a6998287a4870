"""Finished jobs, the audit trail of actions on jobs, and the scheduler's state of each schedule."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from django_q.models import Schedule

from tasks_app.engine.states import FINAL_STATES, JobState
from tasks_app.models.lines import ONE_LINE

STATE_LABELS = {
    JobState.SCHEDULED: _("Scheduled"),
    JobState.QUEUED: _("Queued"),
    JobState.RUNNING: _("Running"),
    JobState.RETRYING: _("Retrying"),
    JobState.SUCCEEDED: _("Succeeded"),
    JobState.FAILED: _("Failed"),
    JobState.CANCELLED: _("Cancelled"),
}
PRIORITY_CHOICES = [("high", _("High")), ("normal", _("Normal")), ("low", _("Low"))]
FINAL_STATE_CHOICES = [(str(state), label) for state, label in STATE_LABELS.items() if state in FINAL_STATES]


class Job(models.Model):
    """One job that ended. While it lives it is in Redis only; it gets its row, once, when it ends."""

    id = models.UUIDField(_("id"), primary_key=True, editable=False)
    task = models.CharField(_("task"), max_length=100)
    queue = models.CharField(_("queue"), max_length=32)
    state = models.CharField(_("state"), max_length=10, choices=FINAL_STATE_CHOICES)
    args = models.JSONField(_("arguments"), default=list)
    kwargs = models.JSONField(_("keyword arguments"), default=dict)
    result = models.JSONField(_("result"), null=True)
    error_class = models.CharField(_("error class"), max_length=200, blank=True)
    error_message = models.TextField(_("error message"), blank=True)
    traceback = models.TextField(_("traceback"), blank=True)
    attempts = models.JSONField(_("attempts"), default=list)
    attempt_count = models.PositiveIntegerField(_("attempt count"), default=0)
    progress = models.JSONField(_("progress"), null=True)
    priority = models.CharField(_("priority"), max_length=6, choices=PRIORITY_CHOICES, default="normal")
    logs = models.JSONField(_("log"), default=list)
    # No foreign keys: a job's history outlives users and schedules, and a batch of rows is written without look-ups.
    requested_by_id = models.BigIntegerField(_("requested by"), null=True)
    schedule_id = models.BigIntegerField(_("schedule"), null=True)
    retry_of = models.UUIDField(_("retry of"), null=True)
    # The group or chain it is a member of, or the job whose callback it is.
    parent_id = models.UUIDField(_("part of"), null=True)
    member_index = models.PositiveIntegerField(_("number in the group"), null=True)
    # What it has to do with other jobs: engine.flows.Flow.
    flow = models.JSONField(_("group and callbacks"), null=True)
    # Under which django-q2 counts it with others: `group=` of async_task.
    # The default is the database's, too: workers of the former version write rows without it.
    label = models.CharField(_("label"), max_length=100, blank=True, default="", db_default="")
    # Of the request that made it, directly or through other jobs.
    request_id = models.CharField(_("request"), max_length=64, blank=True, default="", db_default="")
    created_at = models.DateTimeField(_("created at"))
    started_at = models.DateTimeField(_("started at"), null=True)
    finished_at = models.DateTimeField(_("finished at"))
    wait_seconds = models.FloatField(_("waited (s)"), null=True)
    run_seconds = models.FloatField(_("ran (s)"), null=True)
    worker_host = models.CharField(_("host"), max_length=255, blank=True)
    worker_pid = models.PositiveIntegerField(_("process id"), null=True)

    class Meta:
        verbose_name = _("job")
        verbose_name_plural = _("jobs")
        ordering = ["-finished_at"]
        indexes = [
            models.Index(fields=["-finished_at"], name="job_by_finish"),
            models.Index(fields=["-created_at"], name="job_by_creation"),
            models.Index(fields=["state", "-finished_at"], name="job_by_state_and_finish"),
            models.Index(fields=["task", "-finished_at"], name="job_by_task_and_finish"),
            models.Index(fields=["queue", "-finished_at"], name="job_by_queue_and_finish"),
            # Most jobs are the system's own.
            models.Index(
                fields=["requested_by_id", "-finished_at"],
                name="job_by_requester_and_finish",
                condition=models.Q(requested_by_id__isnull=False),
            ),
            models.Index(
                fields=["parent_id", "member_index"], name="job_by_parent", condition=models.Q(parent_id__isnull=False)
            ),
            models.Index(
                fields=["schedule_id", "-finished_at"],
                name="job_by_schedule",
                condition=models.Q(schedule_id__isnull=False),
            ),
            models.Index(fields=["label", "finished_at"], name="job_by_label", condition=~models.Q(label="")),
            models.Index(fields=["request_id"], name="job_by_request", condition=~models.Q(request_id="")),
        ]
        constraints = [
            models.CheckConstraint(name="job_state_is_final", condition=models.Q(state__in=sorted(FINAL_STATES)))
        ]
        permissions = [
            ("cancel_job", _("Can cancel jobs")),
            ("retry_job", _("Can retry jobs")),
            ("run_job_now", _("Can run waiting jobs now")),
            ("pause_queue", _("Can pause and resume queues and tasks")),
            ("purge_queue", _("Can purge queues")),
            ("control_workers", _("Can stop workers and change their number")),
        ]

    def __str__(self) -> str:
        return f"{self.task} · {self.id}"


class JobAction(models.Model):
    """Audit trail of cancel, retry and run-now: the action on a job, its user and reason."""

    class Verb(models.TextChoices):
        START = "start", _("Started")
        CANCEL = "cancel", _("Cancelled")
        RETRY = "retry", _("Retried")
        RUN_NOW = "run_now", _("Run now")
        PRIORITY = "priority", _("Priority changed")
        AGAIN = "again", _("Run with other arguments")

    job_id = models.UUIDField(_("job"), db_index=True)
    task = models.CharField(_("task"), max_length=100)
    verb = models.CharField(_("action"), max_length=8, choices=Verb)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", verbose_name=_("user")
    )
    reason = models.CharField(_("reason"), max_length=500, blank=True)
    # The job that a retry, or a start with other arguments, made.
    new_job_id = models.UUIDField(_("new job"), null=True, default=None)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("job action")
        verbose_name_plural = _("job actions")
        ordering = ["-created_at", "-id"]

    def __str__(self) -> str:
        return f"{self.get_verb_display()} · {self.task}"


class BulkAction(models.Model):
    """Cancelling, retrying or running now of many jobs that a person chose together, carried out by a job with this id: what
    it is about, and how far it is."""

    class Verb(models.TextChoices):
        CANCEL = "cancel", _("Cancel")
        RETRY = "retry", _("Retry")
        RUN_NOW = "run_now", _("Run now")

    id = models.UUIDField(_("id"), primary_key=True, editable=False)
    verb = models.CharField(_("action"), max_length=8, choices=Verb)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", verbose_name=_("user")
    )
    # An action whose user was deleted has none either, and must not get the rights of the shell.
    is_of_shell = models.BooleanField(default=False)
    reason = models.CharField(_("reason"), max_length=500, blank=True)
    # Of `JobFilters`; null where the jobs were chosen one by one.
    filters = models.JSONField(_("filters"), null=True)
    # 16 bytes each. Null until the job has looked for them, empty once it is through.
    job_ids = models.BinaryField(null=True)
    total_count = models.PositiveIntegerField(_("jobs"), default=0)
    done_count = models.PositiveIntegerField(_("jobs looked at"), default=0)
    changed_count = models.PositiveIntegerField(_("jobs changed"), default=0)
    # Code of the reason -> {"count": number, "ids": the first of them}.
    skipped = models.JSONField(_("jobs skipped"), default=dict)
    has_more = models.BooleanField(_("more jobs match"), default=False)
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        verbose_name = _("bulk action")
        verbose_name_plural = _("bulk actions")
        ordering = ["-created_at"]
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.get_verb_display()} · {self.id}"


class SavedJobView(models.Model):
    """Filters of the job list under a name, of one user and, if shared, of all that may see jobs."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", verbose_name=_("user")
    )
    name = models.CharField(_("name"), max_length=60, validators=[ONE_LINE])
    # As in the address of the list.
    query = models.CharField(_("filters"), max_length=2000)
    is_shared = models.BooleanField(_("shared"), default=False)

    class Meta:
        verbose_name = _("saved view of jobs")
        verbose_name_plural = _("saved views of jobs")
        ordering = ["name", "id"]
        constraints = [models.UniqueConstraint(fields=["user", "name"], name="saved_job_view_once")]
        default_permissions = ()

    def __str__(self) -> str:
        return self.name


class QueueAction(models.Model):
    """Action of a user on a queue, one of its tasks or workers, with its reason. Without a user it was done from the shell."""

    class Verb(models.TextChoices):
        PAUSE = "pause", _("Paused")
        RESUME = "resume", _("Resumed")
        PURGE = "purge", _("Purged")
        PAUSE_TASK = "pause_task", _("Task paused")
        RESUME_TASK = "resume_task", _("Task resumed")
        QUIET = "quiet", _("Worker quieted")
        WAKE = "wake", _("Worker woken")
        STOP = "stop", _("Worker stopped")
        GROW = "grow", _("Worker added")
        SHRINK = "shrink", _("Worker taken away")

    queue = models.CharField(_("queue"), max_length=32)
    verb = models.CharField(_("action"), max_length=12, choices=Verb)
    # The task, the worker or the cluster that is meant; empty for the whole queue.
    subject = models.CharField(_("done to"), max_length=200, blank=True, default="", db_default="")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", verbose_name=_("user")
    )
    reason = models.CharField(_("reason"), max_length=500, blank=True)
    job_count = models.PositiveIntegerField(_("jobs cancelled"), default=0)
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        verbose_name = _("queue action")
        verbose_name_plural = _("queue actions")
        ordering = ["-created_at", "-id"]
        indexes = [models.Index(fields=["queue", "-created_at"], name="queue_action_by_queue")]

    def __str__(self) -> str:
        return f"{self.get_verb_display()} · {self.queue}"


class ScheduleState(models.Model):
    """State added to a django-q2 Schedule row: on or off, its own time zone, and the outcome of the last run."""

    schedule = models.OneToOneField(
        Schedule, on_delete=models.CASCADE, primary_key=True, related_name="state", verbose_name=_("schedule")
    )
    is_enabled = models.BooleanField(_("enabled"), default=True)
    time_zone = models.CharField(_("time zone"), max_length=64, blank=True, help_text=_("Empty: the server's."))
    # A due time that the calendar types count from, so that a monthly run of the 31st comes back after February.
    anchor_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_run_at = models.DateTimeField(_("last run at"), null=True, blank=True)
    last_job_id = models.UUIDField(_("last job"), null=True, blank=True)
    last_error = models.TextField(_("last error"), blank=True)

    class Meta:
        verbose_name = _("schedule state")
        verbose_name_plural = _("schedule states")

    def __str__(self) -> str:
        return str(self.schedule)
