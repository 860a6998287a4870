"""Staff's own texts of messages: checked and shown as they are sent, while they are typed and when they are saved."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from notifications_app.admin.form_checks import checked_input
from notifications_app.admin.template_preview import names_of, preview_of, preview_styles
from notifications_app.messages.custom_templates import problems_in
from notifications_app.messages.template_values import customizable_kinds
from notifications_app.models import MessageTemplate
from notifications_app.services.texts import clear_cache
from tasks_app.admin.model_admin import ModelAdmin
from tasks_app.web.content_policy import allow_hashes

PARTS = ("subject", "text", "html")


class MessageTemplateForm(forms.ModelForm):
    class Meta:
        model = MessageTemplate
        fields = ("kind", "language", "is_active", *PARTS)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "kind" in self.fields:
            self.fields["kind"].choices = customizable_kinds()  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any] | None:
        """Check each part; what is wrong stands beside it with its line."""
        cleaned = super().clean() or self.cleaned_data
        names = names_of(cleaned.get("kind", self.instance.kind))
        for part in PARTS if names else ():
            for problem in problems_in(cleaned.get(part) or "", names, is_html=part == "html"):
                text = _("Line %(line)d: %(problem)s") % {"line": problem.line, "problem": problem}
                self.add_error(part, str(problem) if part == "subject" else text)
        return cleaned

    def preview(self, request: HttpRequest) -> dict[str, Any]:
        """Return the preview of a bound form, whatever is wrong with it."""
        known = {name: getattr(self.instance, name) for name in ("kind", "language")}
        known |= {name: value for name, value in self.cleaned_data.items() if name in (*known, *PARTS)}
        is_sound = not set(PARTS).intersection(self.errors)
        return preview_of(MessageTemplate(**known), request, request.POST.get("example", ""), is_sound=is_sound)


@admin.register(MessageTemplate)
class MessageTemplateAdmin(ModelAdmin):
    form = MessageTemplateForm
    change_form_template = "notifications_app/admin/message_template.html"
    list_display = ("kind", "language", "is_active", "last_error", "updated_at")
    list_filter = ("language", "is_active")
    list_filter_sheet = False
    fields = ("kind", "language", "is_active", *PARTS, "last_error")

    def get_readonly_fields(self, request: HttpRequest, obj: MessageTemplate | None = None) -> tuple[str, ...]:
        return ("kind", "language", "last_error") if obj else ("last_error",)

    def save_model(self, request: HttpRequest, obj: MessageTemplate, form: Any, change: bool) -> None:
        obj.last_error = ""
        super().save_model(request, obj, form, change)
        clear_cache()

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_POST(self.check_view))
        name = "notifications_app_messagetemplate_check"
        own = [path("check/", view, name=name), path("<int:template_id>/check/", view, name=name)]
        return [*own, *super().get_urls()]

    def check_view(self, request: HttpRequest, template_id: int | None = None) -> HttpResponse:
        """Return what is wrong with the form so far, and the message as it would be sent."""
        template = None if template_id is None else self.get_object(request, str(template_id))
        if template_id is not None and template is None:
            raise Http404
        if not self._may_write(request, template):
            raise PermissionDenied
        form_class = self.get_form(request, template, change=template is not None)
        form = form_class(request.POST, instance=template or MessageTemplate())
        form.is_valid()
        wrong, missing = checked_input([form])
        return JsonResponse({"errors": wrong, "missing": missing, **form.preview(request)})

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **options: Any) -> HttpResponse:
        """Add the preview of the template as it is stored, or as it was just refused."""
        template: MessageTemplate | None = options.get("obj")
        form: MessageTemplateForm = context["adminform"].form
        stored = preview_of(template, request, "") if template else None
        numbers = [template.pk] if template else []
        may_write = self._may_write(request, template)
        context |= {
            "shown": form.preview(request) if form.is_bound else stored,
            "check_url": reverse("admin:notifications_app_messagetemplate_check", args=numbers) if may_write else "",
        }
        allow_hashes(request, preview_styles())
        return super().render_change_form(request, context, *args, **options)

    def _may_write(self, request: HttpRequest, template: MessageTemplate | None) -> bool:
        if template is None:
            return self.has_add_permission(request)
        return self.has_change_permission(request, template)
