"""The theme's classes of admin pages, with no more scripts than their pages use, no inline styles, and 50 rows to a list."""

from __future__ import annotations

import json
from typing import Any

import unfold.admin
import unfold.fields
from django import forms
from django.conf import settings
from django.contrib import admin
from django.contrib.admin.options import InlineModelAdmin
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString


def _json_field(data: Any, encoder: Any) -> SafeString:
    """The value of a JSON field that cannot be changed."""
    text = json.dumps(data, sort_keys=True, indent=2, cls=encoder, ensure_ascii=False)
    return format_html('<pre class="tk-pre">{}</pre>', text)


# The theme's own colours it by inline styles, which the content security policy refuses.
unfold.fields.prettify_json = _json_field


def popup_scripts() -> forms.Media:
    """Return the scripts of forms that open related objects in a window of their own."""
    jquery = f"vendor/jquery/jquery{'' if settings.DEBUG else '.min'}.js"
    return forms.Media(js=[f"admin/js/{name}" for name in (jquery, "jquery.init.js", "admin/RelatedObjectLookups.js")])


# Without types, as the theme's classes are.
_PlainAdmin: Any = admin.ModelAdmin
_PlainInline: Any = InlineModelAdmin


class _WithoutScripts(_PlainAdmin):
    """Stands between the theme's class and Django's, which loads 400 kB with every page, most of it for slugs.

    What lists use of it is joined with the theme's scripts (`tasks_app.web.joined_files`).
    """

    @property
    def media(self) -> forms.Media:
        return forms.Media()

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        context["media"] = popup_scripts() + context["media"]
        return super().render_change_form(request, context, *args, **kwargs)


class ModelAdmin(unfold.admin.ModelAdmin, _WithoutScripts):
    # Each row of the theme is six kilobytes and some milliseconds.
    list_per_page = 50


class _InlineWithoutScripts(_PlainInline):
    """Likewise: the theme adds rows by a script of its own."""

    @property
    def media(self) -> forms.Media:
        return forms.Media()


class TabularInline(unfold.admin.TabularInline, _InlineWithoutScripts):
    pass


class StackedInline(unfold.admin.StackedInline, _InlineWithoutScripts):
    pass
