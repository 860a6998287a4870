"""Staff's own texts of messages: checked when saved, and shown with sample values."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin
from unfold.decorators import display

from notifications_app.channels.email_message import MAP_PLACE, UNSUBSCRIBE_PLACE
from notifications_app.messages.custom_templates import TemplateProblem, check
from notifications_app.messages.rendering import Recipient
from notifications_app.messages.template_values import customizable_kinds, samples, values_of
from notifications_app.models import MessageTemplate
from notifications_app.services.texts import clear_cache, render_custom
from tasks_app.geo.units import Units


class MessageTemplateForm(forms.ModelForm):
    class Meta:
        model = MessageTemplate
        fields = ("kind", "language", "is_active", "subject", "text", "html")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "kind" in self.fields:
            self.fields["kind"].choices = customizable_kinds()  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or self.cleaned_data
        kind = cleaned.get("kind", self.instance.kind)
        if kind not in samples():
            return cleaned
        for part in ("subject", "text", "html"):
            try:
                check(cleaned.get(part) or "", names_of(kind), is_html=part == "html")
            except TemplateProblem as error:
                self.add_error(part, str(error))
        return cleaned


@admin.register(MessageTemplate)
class MessageTemplateAdmin(ModelAdmin):
    form = MessageTemplateForm
    list_display = ("kind", "language", "is_active", "last_error", "updated_at")
    list_filter = ("language", "is_active")
    list_filter_sheet = False
    fields = ("kind", "language", "is_active", "names", "subject", "text", "html", "preview", "last_error")

    def get_readonly_fields(self, request: HttpRequest, obj: MessageTemplate | None = None) -> tuple[str, ...]:
        shown = ("names", "preview", "last_error")
        return ("kind", "language", *shown) if obj else shown

    def save_model(self, request: HttpRequest, obj: MessageTemplate, form: Any, change: bool) -> None:
        obj.last_error = ""
        super().save_model(request, obj, form, change)
        clear_cache()

    @display(description=gettext_lazy("available names"))
    def names(self, template: MessageTemplate) -> SafeString | str:
        if template.kind not in samples() or template.pk is None:
            return _("Save first to see the names. Empty parts use the built-in text.")
        example = "{% if map_url %}{{ map_url }}{% endif %}"
        names = format_html_join(
            " ", "<code>{{{{ {} }}}}</code>", ((name,) for name in sorted(names_of(template.kind)))
        )
        return format_html("{}<br>{} <code>{}</code>", names, _("For optional values:"), example)

    @display(description=gettext_lazy("preview"))
    def preview(self, template: MessageTemplate) -> SafeString | str:
        """Return the saved template with sample values. The HTML is in a sandbox: nothing in it runs or loads."""
        if template.pk is None or template.kind not in samples():
            return _("Save it as inactive to preview it.")
        try:
            rendered = render_custom(
                template, samples()[template.kind], Recipient(template.language, "America/Sao_Paulo")
            )
        except TemplateProblem as error:
            return str(error)
        html = rendered.html.replace(MAP_PLACE, "").replace(UNSUBSCRIBE_PLACE, "")
        return format_html(
            '<p><strong>{}</strong></p><pre style="white-space:pre-wrap">{}</pre>'
            '<iframe sandbox srcdoc="{}" title="{}" style="width:100%;height:480px;border:1px solid #8886"></iframe>',
            rendered.subject, rendered.text, html, _("HTML of the e-mail"),
        )  # fmt: skip


def names_of(kind: str) -> list[str]:
    """The names that own texts of this kind may use."""
    return list(values_of(samples()[kind], units=Units(), site_url="", zone="UTC"))
