"""The choice of permissions of users and groups, in the reader's language: Django's own names of them are English."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.contrib.auth.models import Permission
from django.forms import ModelMultipleChoiceField
from django.utils.translation import gettext_lazy as _

from tasks_app.models import Job

VERBS = {
    "view": _("May view %(rows)s"),
    "add": _("May add %(rows)s"),
    "change": _("May change %(rows)s"),
    "delete": _("May delete %(rows)s"),
}
# Those that are no verb of rows: their names stand in the model, in English in the database.
FURTHER = dict(Job._meta.permissions)


def permission_name(permission: Permission) -> str:
    """Return the words for a permission: "Fleet and tasks | May view devices"; Django's for one that is not of a model."""
    content_type = permission.content_type
    verb, _separator, _model = permission.codename.partition("_")
    model = content_type.model_class()
    if model is Job and permission.codename in FURTHER:
        return f"{apps.get_app_config(content_type.app_label).verbose_name} | {FURTHER[permission.codename]}"
    if model is None or verb not in VERBS or permission.codename != f"{verb}_{content_type.model}":
        return str(permission)
    app = apps.get_app_config(content_type.app_label).verbose_name
    return f"{app} | {VERBS[verb] % {'rows': model._meta.verbose_name_plural}}"


class PermissionField(ModelMultipleChoiceField):
    """Permissions by their words, sorted by them."""

    def label_from_instance(self, obj: Any) -> str:
        return permission_name(obj)


class NamesPermissions:
    """A mixin for the pages of users and groups."""

    def formfield_for_manytomany(self, db_field: Any, request: Any = None, **kwargs: Any) -> Any:
        if db_field.related_model is Permission:
            kwargs["form_class"] = PermissionField
        return super().formfield_for_manytomany(db_field, request, **kwargs)  # type: ignore[misc]
