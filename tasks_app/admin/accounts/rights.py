"""Checks of the user, group and membership pages beyond Django's permissions."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Model
from django.forms import BaseInlineFormSet
from django.http import HttpRequest
from django.utils.translation import gettext as _

from tasks_app.queries.account_rights import may_give_role, may_take_over

# What makes an account more than a person with a password: superusers give these.
GRANTS = ("is_superuser", "is_staff", "groups", "user_permissions")


class GuardsAccounts:
    """A mixin for the page of users: rights are for superusers to give, and accounts with more rights out of reach."""

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        # What log-ins note themselves is no change in the audit.
        fixed = (*super().get_readonly_fields(request, obj), "last_login")  # type: ignore[misc]
        return fixed if request.user.is_superuser else (*fixed, *GRANTS)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        may = super().has_change_permission(request, obj)  # type: ignore[misc]
        return may and (obj is None or may_take_over(request.user, obj))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        may = super().has_delete_permission(request, obj)  # type: ignore[misc]
        return may and (obj is None or may_take_over(request.user, obj))


class ForSuperusersToChange:
    """Mixin of pages whose rows give rights: read-only for all but superusers."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_superuser)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return bool(request.user.is_superuser)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return bool(request.user.is_superuser)


class MembershipFormSet(BaseInlineFormSet):
    """Refuses a role, new or changed or taken away, that the editor does not have themselves."""

    # Set by the page: the user who fills it in.
    editor: Any = None

    def clean(self) -> None:
        super().clean()
        fleet = self.instance if self.instance.pk else None
        for form in self.forms:
            if not form.has_changed() or not hasattr(form, "cleaned_data"):
                continue
            roles = {form.initial.get("role"), form.cleaned_data.get("role")}
            if not all(may_give_role(self.editor, fleet, role) for role in roles if role):
                raise ValidationError(_("You may not give or take a role that you do not have in the fleet yourself."))
