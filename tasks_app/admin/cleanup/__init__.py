"""Pages of retention, archives and storage."""

from tasks_app.admin.cleanup import retention, storage
from tasks_app.admin.cleanup.storage import days_text, urgency

__all__ = ["days_text", "retention", "storage", "urgency"]
