"""The theme's classes of admin pages: no more scripts than their pages use, no inline styles, lists as quick as they can be."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import unfold.admin
import unfold.fields
import unfold.templatetags.unfold_list
import unfold.views
from django import forms
from django.contrib import admin, messages
from django.contrib.admin.exceptions import DisallowedModelAdminLookup
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IncorrectLookupParameters, InlineModelAdmin
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db import DataError
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from tasks_app.admin.deletion import deleted_objects
from tasks_app.web.joined_files import FOLDER, JOINED, names_of
from tasks_app.web.quantities import format_number
from tasks_app.web.versions import VERSION, UnchangedMeanwhile


def _json_field(data: Any, encoder: Any) -> SafeString:
    """The value of a JSON field that cannot be changed."""
    text = json.dumps(data, sort_keys=True, indent=2, cls=encoder, ensure_ascii=False)
    return format_html('<pre class="tk-pre">{}</pre>', text)


# The theme's own colours it by inline styles, which the content security policy refuses.
unfold.fields.prettify_json = _json_field

_headers_of = unfold.templatetags.unfold_list.result_headers


def _headers_once(changes: Any) -> list[dict[str, Any]]:
    """Return the columns' headers, which the theme makes anew for each row: a tenth of the time of a list."""
    if not hasattr(changes, "made_headers"):
        changes.made_headers = list(_headers_of(changes))
    return list(changes.made_headers)


unfold.templatetags.unfold_list.result_headers = _headers_once

DATE_PARTS = {"year", "month", "day", "gte", "lt"}
FORM_SCRIPT, FORM_STYLE = f"{FOLDER}/form.js", f"{FOLDER}/form.css"
_LANGUAGES = "admin/js/vendor/select2/i18n/"


def form_media(media: Any) -> forms.Media:
    """Return the media of a form with what most forms need joined, deferred, and before the rest."""
    parts = {_whole(name) for joined in (FORM_SCRIPT, FORM_STYLE) for name in JOINED[joined]}
    rest = forms.Media(
        js=[name for name in media._js if _whole(name) not in parts and not str(name).startswith(_LANGUAGES)],
        css={medium: [name for name in names if _whole(name) not in parts] for medium, names in media._css.items()},
    )
    scripts: Any = [forms.Script(name, defer=True) for name in names_of(FORM_SCRIPT)]
    return forms.Media(js=scripts, css={"screen": list(names_of(FORM_STYLE))}) + rest


def _whole(name: Any) -> str:
    """The name of a library's file that is as its authors wrote it: Django names the small one without DEBUG."""
    return str(getattr(name, "_path", name)).replace(".min.", ".")


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
        context["media"] = form_media(context["media"])
        return super().render_change_form(request, context, *args, **kwargs)


class ListPaginator(Paginator):
    """Pages of a list, under which its number of rows is written as the language does."""

    template_name = "tasks_app/admin/parts/pagination.html"

    @property
    def has_more(self) -> bool:
        """Whether there are rows that no page shows."""
        return False

    @property
    def shown_count(self) -> str:
        return format_number(self.count)


class ChangeList(unfold.views.ChangeList):
    """A list that answers filters whose values no column can have (a NUL, the year 10^20) as Django does other wrong ones.

    It takes the filters that it offers. Django takes every column of the table in an address: the hash of a key or a
    password could be guessed letter by letter.
    """

    def get_filters(self, request: HttpRequest) -> Any:
        found = super().get_filters(request)
        # Those that its filters took are gone from these.
        for lookup in found[2]:
            if not self.model_admin.is_offered(lookup):
                raise DisallowedModelAdminLookup(f"Filtering by {lookup} not allowed")
        return found

    def get_queryset(self, request: HttpRequest, *args: Any, **kwargs: Any) -> QuerySet[Any]:
        with _wrong_values_refused():
            return super().get_queryset(request, *args, **kwargs)

    def get_results(self, request: HttpRequest) -> None:
        with _wrong_values_refused():
            super().get_results(request)


@contextmanager
def _wrong_values_refused() -> Iterator[None]:
    """Raise IncorrectLookupParameters, on which Django shows the list without filters, for values that no query takes."""
    try:
        yield
    except (ValueError, OverflowError, DataError) as error:
        raise IncorrectLookupParameters(error) from error


def _versioned(form: Any) -> Any:
    """Return the form as one that notices what another person changed meanwhile."""
    if issubclass(UnchangedMeanwhile, form):
        return UnchangedMeanwhile
    return form if issubclass(form, UnchangedMeanwhile) else type(form.__name__, (form, UnchangedMeanwhile), {})


class ModelAdmin(unfold.admin.ModelAdmin, _WithoutScripts):
    # Each row of the theme is six kilobytes and some milliseconds.
    list_per_page = 50
    # The theme asks for them twice in each row; what an object has not, a template looks for in all that it has.
    list_sections: Any = ()
    paginator: Any = ListPaginator
    goes_with_its_subject = False
    """Whether rows that nobody deletes alone are deleted with what they are about, by those who may delete that."""
    left_unnamed: tuple[type[Model], ...] = ()
    """Kinds of rows that the confirmation of a deletion says nothing of."""
    linked_lookups: tuple[str, ...] = ()
    """Lookups in addresses of links to the list, for which it shows no filter."""
    change_form_before_template: str | None = "tasks_app/admin/parts/version.html"

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.form: Any = _versioned(self.form)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return [name for name in super().get_fields(request, obj) if name != VERSION]

    def response_action(self, request: HttpRequest, queryset: Any) -> Any:
        if all(self._is_key(text) for text in request.POST.getlist(ACTION_CHECKBOX_NAME)):
            return super().response_action(request, queryset)
        self.message_user(request, _("The selection is not one of this list; select the rows again."), messages.WARNING)
        return None

    def _is_key(self, text: str) -> bool:
        try:
            self.opts.pk.get_prep_value(self.opts.pk.to_python(text))
        except (ValueError, ValidationError):
            return False
        return "\x00" not in text

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> Any:
        return ChangeList

    def is_offered(self, lookup: str) -> bool:
        """Whether an address may narrow the list by this, beside its filters: what pages link to, and parts of a date."""
        name, _separator, part = lookup.rpartition("__")
        return lookup in self.linked_lookups or (name == self.date_hierarchy and part in DATE_PARTS)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        tree, counts, missing, protected = deleted_objects(objs, request, self.admin_site, self.left_unnamed)
        along = {str(one.opts.verbose_name) for one in self.admin_site._registry.values() if _goes_along(one)}
        return tree, counts, {name for name in missing if str(name) not in along}, protected


def _goes_along(other: Any) -> bool:
    return bool(getattr(other, "goes_with_its_subject", False))


class _InlineWithoutScripts(_PlainInline):
    """Likewise: the theme adds rows by a script of its own."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.form: Any = _versioned(self.form)

    @property
    def media(self) -> forms.Media:
        return forms.Media()

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        names = [name for name in super().get_fields(request, obj) if name != VERSION]
        return [*names, VERSION] if self.has_change_permission(request, obj) else names


class TabularInline(unfold.admin.TabularInline, _InlineWithoutScripts):
    pass


class StackedInline(unfold.admin.StackedInline, _InlineWithoutScripts):
    pass
