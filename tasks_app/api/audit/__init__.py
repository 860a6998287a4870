"""The audit, to look at."""

from tasks_app.api.audit.views import AuditListView

__all__ = ["AuditListView"]
