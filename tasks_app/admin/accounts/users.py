"""People, groups, API tokens and log-in attempts, in the look of the other pages."""

from __future__ import annotations

from typing import Any

# They register their pages now, so that they can be taken off again below.
import axes.admin  # noqa: F401
import django_otp.plugins.otp_static.admin
import django_otp.plugins.otp_totp.admin  # noqa: F401
import knox.admin  # noqa: F401
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib import admin, messages
from django.contrib.admin.models import LogEntry
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice
from knox.models import AuthToken
from unfold.decorators import action, display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from tasks_app.admin.accounts.permissions import NamesPermissions
from tasks_app.admin.accounts.rights import ForSuperusersToChange, GuardsAccounts
from tasks_app.admin.common import ReadOnlyAdmin
from tasks_app.admin.model_admin import ModelAdmin
from tasks_app.models import Scope
from tasks_app.queries.account_rights import may_take_over
from tasks_app.queries.sessions import scopes_of
from tasks_app.services.accounts import (
    forget_failures,
    has_acts,
    is_administrated_without,
    is_administrator,
    is_former,
    log_out_everywhere,
    remove_second_factor,
)
from tasks_app.utils.hostnames import is_mailable

for replaced in (User, Group, AuthToken, AccessAttempt, AccessFailureLog, AccessLog, TOTPDevice, StaticDevice):
    if admin.site.is_registered(replaced):
        admin.site.unregister(replaced)


class PersonForm(UserChangeForm):
    """An account, whose e-mail address can be written to, and whose name is no other one's in another spelling.

    The last administrator stays one.
    """

    def clean_username(self) -> str:
        """As for a new account: log-ins take every spelling of a name for one account."""
        name = str(self.cleaned_data["username"])
        others = User.objects.filter(username__iexact=name).exclude(pk=self.instance.pk)
        if "username" in self.changed_data and others.exists():
            raise self.instance.unique_error_message(User, ("username",))
        return name

    def clean(self) -> dict[str, Any] | None:
        values = super().clean() or self.cleaned_data
        wished = [values.get(name, getattr(self.instance, name)) for name in ("is_superuser", "is_staff", "is_active")]
        if is_administrator(self.instance) and not all(wished) and not is_administrated_without([self.instance]):
            raise ValidationError(_("Nobody else is a superuser who can log in here: make another one first."))
        return values

    def clean_email(self) -> str:
        address = str(self.cleaned_data["email"])
        if address and not is_mailable(address):
            raise ValidationError(_("Enter an e-mail address whose domain can be looked up."))
        return address


@admin.register(User)
class UserAdmin(GuardsAccounts, NamesPermissions, DjangoUserAdmin, ModelAdmin):
    form = PersonForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_filter_sheet = False
    # The admin's log always stays.
    left_unnamed = (LogEntry,)
    actions = ("remove_second_factors",)

    @action(description=_("Remove the second factor of the selected people"), permissions=["change"])
    def remove_second_factors(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """Let people who lost their phone and codes in by password again. Their sessions and tokens end.

        One's own takes a code, as on the page on which it is switched off.
        """
        removed = 0
        for user in queryset:
            if user == request.user:
                own = _("Your own second factor is switched off on the page Two-factor log-in, with a code.")
                self.message_user(request, own, messages.WARNING)
            elif may_take_over(request.user, user) and remove_second_factor(user=user):
                log_out_everywhere(user=user)
                self.log_change(request, user, str(_("Second factor removed.")))
                removed += 1
        text = ngettext("%d second factor was removed.", "%d second factors were removed.", removed) % removed
        self.message_user(request, text, messages.SUCCESS if removed else messages.WARNING)

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        """One's own is changed on the page that asks for the old one, which a stolen session does not know."""
        if id == str(request.user.pk):
            return redirect("admin:password_change")
        return super().user_change_password(request, id, form_url)

    def response_action(self, request: HttpRequest, queryset: Any, *args: Any, **kwargs: Any) -> Any:
        """In one transaction, which the question for the last administrator needs."""
        with transaction.atomic():
            return super().response_action(request, queryset, *args, **kwargs)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """A former user with acts on record stays, and the last administrator."""
        tree, counts, missing, protected = super().get_deleted_objects(objs, request)
        protected = [*protected, *(str(user) for user in objs if is_former(user) and has_acts(user))]
        last = None if missing else next(filter(is_administrator, objs), None)
        # The page that asks has no transaction, in which the rows are locked.
        with transaction.atomic():
            is_only_one = last is not None and not is_administrated_without(objs)
        if is_only_one:
            protected.append(_("%(name)s, as nobody else is a superuser who can log in here") % {"name": last})
        return tree, counts, missing, protected


@admin.register(Group)
class GroupAdmin(ForSuperusersToChange, NamesPermissions, DjangoGroupAdmin, ModelAdmin):
    pass


@admin.register(AuthToken)
class AuthTokenAdmin(ReadOnlyAdmin):
    """API tokens with their users and expiry. A token is never shown: it can only be revoked."""

    list_display = ("user", "name", "scopes", "created", "last_used_at", "expiry", "is_valid")
    list_display_links = None
    list_select_related = ("user", "details")
    search_fields = ("user__username", "details__name")
    actions = ("revoke",)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return ModelAdmin.has_delete_permission(self, request, obj)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Without Django's delete action, whose confirmation page would print the tokens' digests."""
        return {name: found for name, found in super().get_actions(request).items() if name != "delete_selected"}

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> HttpResponse:
        return redirect("admin:knox_authtoken_changelist")

    delete_view = history_view = change_view

    @action(description=_("Revoke the selected tokens"), permissions=["delete"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[AuthToken]) -> None:
        count = queryset.count()
        queryset.delete()
        text = ngettext("%d token was revoked.", "%d tokens were revoked.", count) % count
        self.message_user(request, text, messages.SUCCESS)

    @display(description=_("name"), ordering="details__name")
    def name(self, token: AuthToken) -> Any:
        return _details(token, "name")

    @display(description=_("scopes"))
    def scopes(self, token: AuthToken) -> str:
        held = scopes_of(token)
        return ", ".join(scope.short_name for scope in Scope if scope in held)

    @display(description=_("last used"), ordering="details__last_used_at")
    def last_used_at(self, token: AuthToken) -> Any:
        return _details(token, "last_used_at")

    @display(description=_("valid"), boolean=True)
    def is_valid(self, token: AuthToken) -> bool:
        return token.expiry is None or token.expiry > timezone.now()


def _details(token: AuthToken, name: str) -> Any:
    """The value of a token's details; None for one that has none."""
    return getattr(getattr(token, "details", None), name, None)


@admin.register(AccessAttempt)
class AccessAttemptAdmin(ReadOnlyAdmin):
    """Failed log-ins; deleting one lets the person try again at once."""

    list_display = ("attempt_time", "username", "ip_address", "failures_since_start", "path_info")
    search_fields = ("username", "ip_address")
    fields = ("attempt_time", "username", "ip_address", "user_agent", "failures_since_start", "path_info")

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return ModelAdmin.has_delete_permission(self, request, obj)

    def delete_model(self, request: HttpRequest, obj: AccessAttempt) -> None:
        forget_failures(username=obj.username or "", address=obj.ip_address or "")
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[AccessAttempt]) -> None:
        for attempt in queryset:
            forget_failures(username=attempt.username or "", address=attempt.ip_address or "")
        super().delete_queryset(request, queryset)


@admin.register(AccessLog)
class AccessLogAdmin(ReadOnlyAdmin):
    list_display = ("attempt_time", "username", "ip_address", "logout_time", "path_info")
    search_fields = ("username", "ip_address")
    fields = ("attempt_time", "logout_time", "username", "ip_address", "user_agent", "path_info")
