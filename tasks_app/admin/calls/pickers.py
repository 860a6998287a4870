"""The fields that name rows, as the theme has text fields, with suggestions for those who start tasks."""

from __future__ import annotations

from unfold.widgets import UnfoldAdminTextInputWidget

from tasks_app.web.pickers import PickField, PickManyField, PickManyWidget, PickWidget


class AdminPickWidget(PickWidget, UnfoldAdminTextInputWidget):
    url_name = "admin:tasks_app_job_pick"


class AdminPickManyWidget(PickManyWidget, AdminPickWidget):
    pass


class AdminPickField(PickField):
    widget_class = AdminPickWidget


class AdminPickManyField(PickManyField):
    widget_class = AdminPickManyWidget
