"""The audit: who did what, when, from where, to what, and why. docs/audit.md says what is recorded."""

from tasks_app.services.audit.models import watch_models
from tasks_app.services.audit.recording import Subject, job_subject, record, record_all
from tasks_app.services.audit.retention import prune_audit
from tasks_app.services.audit.verbs import VERBS, add_verbs, verb_label
from tasks_app.services.audit.watching import subject_of_row, watch, watched_models

__all__ = [
    "VERBS",
    "Subject",
    "add_verbs",
    "job_subject",
    "prune_audit",
    "record",
    "record_all",
    "subject_of_row",
    "verb_label",
    "watch",
    "watch_models",
    "watched_models",
]
