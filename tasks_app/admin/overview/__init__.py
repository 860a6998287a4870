"""The first page of the admin: health, what is wrong, what happens now, and what comes next."""

from tasks_app.admin.overview.page import overview

__all__ = ["overview"]
