"""The admin pages of rules."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST
from unfold.decorators import action, display

from notifications_app.admin.rules.drafts import check_reply, sentence_of_draft, subjects_of_draft, subjects_of_rule
from notifications_app.admin.rules.dry_run import (
    EDIT,
    TRY,
    draft_dry_run_page,
    dry_run_check,
    dry_run_page,
    pick_view,
    rule_dry_run_page,
    typed_of_event,
)
from notifications_app.admin.rules.form import NotSaved, RuleForm
from notifications_app.messages.rule_description import rule_sentence
from notifications_app.models import EscalationStep, Rule
from notifications_app.queries.rule_rows import NAMED
from notifications_app.queries.watched import Subjects, watched_map
from tasks_app.admin.common import MISSING
from tasks_app.admin.model_admin import ModelAdmin, TabularInline

# Shown texts of nothing that was chosen yet.
NOTHING = Subjects(None, ())


class EscalationStepInline(TabularInline):
    model = EscalationStep
    extra = 0
    autocomplete_fields = ("users",)
    verbose_name_plural = _("If nobody acknowledges")


@admin.register(Rule)
class RuleAdmin(ModelAdmin):
    form = RuleForm
    list_display = ("name", "sentence", "fleet", "is_active")
    list_filter = ("fleet", "is_active")
    linked_lookups = ("devices__id__exact",)
    list_filter_sheet = False
    list_select_related = ("fleet",)
    search_fields = ("name",)
    autocomplete_fields = ("fleet", "users", "devices", "geofences", "within_geofences")
    change_form_template = "notifications_app/admin/rule.html"
    inlines = (EscalationStepInline,)
    actions = ("switch_on", "switch_off")
    actions_list = ("try_out",)
    fieldsets = (
        (None, {"fields": (("name", "fleet"), "is_active")}),
        (_("When"), {"fields": ("event_kinds", "alarms", ("devices", "geofences"))}),
        (
            _("Only if"),
            {"fields": (("min_speed_kph", "min_duration_minutes"), "within_geofences", "windows")},
        ),
        (_("Notify"), {"fields": ("users", "roles", "channels")}),
        (_("Send"), {"fields": ("command",)}),
        (_("How often"), {"fields": ("cooldown_minutes", ("digest_every_minutes", "digest_daily_at"))}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Rule]:
        return super().get_queryset(request).prefetch_related(*NAMED)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        own = [
            path("pick/<str:kind>/", view(pick_view), name="notifications_app_rule_pick"),
            path("dry-run/check/", view(dry_run_check), name="notifications_app_rule_dry_run_check"),
            path("<int:rule_id>/dry-run/", view(rule_dry_run_page), name="notifications_app_rule_dry_run"),
            path("check/", view(require_POST(self.check_view)), name="notifications_app_rule_check"),
            path("<int:rule_id>/check/", view(require_POST(self.check_view)), name="notifications_app_rule_check"),
        ]
        return [*own, *super().get_urls()]

    def get_form(self, request: HttpRequest, obj: Rule | None = None, change: bool = False, **options: Any) -> Any:
        form = super().get_form(request, obj, change=change, **options)
        bases = (NotSaved, form) if _is_kept_open(request) else (form,)
        return type(form.__name__, bases, {"user": request.user})

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show the form, save it, or try what stands in it; where that is wrong, the form says what."""
        if _is_kept_open(request) and EDIT not in request.POST:
            rule = self.get_object(request, object_id) if object_id else None
            if not (rule or object_id is None) or not self._may_try(request, rule):
                raise PermissionDenied
            form, formsets = self._bound(request, rule)
            if not form.errors and all(formset.is_valid() for formset in formsets):
                return draft_dry_run_page(request, form, formsets)
        return super().changeform_view(request, object_id, form_url, extra_context)

    def check_view(self, request: HttpRequest, rule_id: int | None = None) -> HttpResponse:
        """Return what is wrong with the form so far, the rule in words, and what it watches."""
        rule = None if rule_id is None else self.get_object(request, str(rule_id))
        if rule_id is not None and rule is None:
            raise Http404
        if not self._may_write(request, rule):
            raise PermissionDenied
        form, formsets = self._bound(request, rule)
        return JsonResponse(check_reply(form, formsets, request.user, request.GET.get("map", "")))

    def _may_write(self, request: HttpRequest, rule: Rule | None) -> bool:
        return self.has_add_permission(request) if rule is None else self.has_change_permission(request, rule)

    def _may_try(self, request: HttpRequest, rule: Rule | None) -> bool:
        return self._may_write(request, rule) and self.has_change_permission(request)

    def _bound(self, request: HttpRequest, rule: Rule | None) -> tuple[Any, list[Any]]:
        """Return the form and its inlines with the input of the request, validated and not saved."""
        row = rule or Rule()
        form = self.get_form(request, rule, change=rule is not None)(request.POST, instance=row)
        form.is_valid()
        formsets = []
        for formset_class, inline in self.get_formsets_with_inlines(request, rule):
            prefix = formset_class.get_default_prefix()
            formsets.append(formset_class(**self.get_formset_kwargs(request, row, inline, prefix)))
        return form, formsets

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **options: Any) -> HttpResponse:
        """Add the sentence and the map of the rule as it is stored, or as it was just refused."""
        rule: Rule | None = options.get("obj")
        form: forms.ModelForm[Rule] = context["adminform"].form
        formsets = [one.formset for one in context["inline_admin_formsets"]]
        if form.is_bound:
            sentence, subjects = sentence_of_draft(form, formsets, request.user), subjects_of_draft(form)
        else:
            sentence = rule_sentence(rule) if rule else ""
            subjects = subjects_of_rule(rule) if rule else NOTHING
        numbers = [rule.pk] if rule else []
        may_edit = self._may_write(request, rule)
        context |= {
            "sentence": sentence,
            "watched": watched_map(subjects, request.user) if rule or form.is_bound else None,
            "check_url": reverse("admin:notifications_app_rule_check", args=numbers) if may_edit else "",
            "may_try": self._may_try(request, rule),
            "event_inputs": typed_of_event(request.POST),
        }
        return super().render_change_form(request, context, *args, **options)

    @display(description=_("rule in words"))
    def sentence(self, rule: Rule) -> str:
        return rule_sentence(rule) if rule.pk else MISSING

    @action(description=_("Switch on"), permissions=["change"])
    def switch_on(self, request: HttpRequest, queryset: QuerySet[Rule]) -> None:
        self._switch(request, queryset, is_active=True)

    @action(description=_("Switch off"), permissions=["change"])
    def switch_off(self, request: HttpRequest, queryset: QuerySet[Rule]) -> None:
        self._switch(request, queryset, is_active=False)

    @action(description=_("Dry run of an event"), url_path="dry-run", permissions=["change"])
    def try_out(self, request: HttpRequest) -> HttpResponse:
        return dry_run_page(request)

    def _switch(self, request: HttpRequest, queryset: QuerySet[Rule], *, is_active: bool) -> None:
        changed = list(queryset.exclude(is_active=is_active))
        for rule in changed:
            rule.is_active = is_active
            rule.save(update_fields=["is_active"])
            self.log_change(request, rule, str(_("Switched on.") if is_active else _("Switched off.")))
        count = len(changed)
        self.message_user(request, ngettext("%d rule changed.", "%d rules changed.", count) % count, messages.SUCCESS)


def _is_kept_open(request: HttpRequest) -> bool:
    """Return whether the form was sent to be tried or shown again, not to be saved."""
    return bool({TRY, EDIT} & request.POST.keys()) and not {"_save", "_continue", "_addanother"} & request.POST.keys()
