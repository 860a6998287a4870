"""Pages of uploaded files of positions and of quarantined fixes."""

from tasks_app.admin.intake import quarantine, uploads

__all__ = ["quarantine", "uploads"]
