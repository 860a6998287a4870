"""The form field of a geofence's area: text (GeoJSON, WKT or KML), with a map to draw it on where scripts run."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.urls import get_script_prefix, reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from tasks_app.engine import InvalidArguments
from tasks_app.engine.arguments import encode_json
from tasks_app.geo.area_doubts import AreaDoubt
from tasks_app.geo.area_texts import area_from_text
from tasks_app.geo.areas import InvalidArea
from tasks_app.geo.wkt import MAX_TEXT_CHARACTERS
from tasks_app.utils.refusals import refusal_text
from tasks_app.web.doubted_area import doubt_text


class AreaWidget(forms.Textarea):
    """A text field with the map above it. `own_id` is the geofence that is edited, which the map does not show twice."""

    own_id: int | None = None

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        text = super().render(name, value, attrs, renderer)
        context = {
            "field_id": (attrs or {}).get("id", f"id_{name}"),
            "own_id": self.own_id or "",
            "label": _(
                "Map of the area. Choose a form, then set points by click, or with Enter in the middle of the map."
            ),
            "reader_url": reverse("pages:area_text"),
            "geofences_url": reverse("api:geofences"),
            "socket_path": f"{get_script_prefix()}ws/live/",
            "texts": _texts(),
        }
        return SafeString(render_to_string("tasks_app/parts/area_editor.html", context) + text)


class AreaField(forms.CharField):
    """An area; its text may be GeoJSON, WKT or KML."""

    widget = AreaWidget

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=MAX_TEXT_CHARACTERS, **options)
        self.widget.attrs.update({"rows": 8, "spellcheck": "false"})
        self.widget.attrs["class"] = f"{self.widget.attrs.get('class', '')} tk-code tk-area-text".strip()

    def clean(self, value: Any) -> Any:
        """The area as GeoJSON, as the database can store it."""
        text = super().clean(value)
        if not text:
            return None
        try:
            area = area_from_text(text)
            encode_json(area)
        except InvalidArea as error:
            raise ValidationError(refusal_text(error)) from error
        except InvalidArguments as error:
            raise ValidationError(_unstorable()) from error
        return area

    def prepare_value(self, value: Any) -> Any:
        """GeoJSON as text; the input unchanged, which may be text that could not be read."""
        if isinstance(value, str) or value is None:
            return value
        return json.dumps(value, indent=2, ensure_ascii=False)

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Whether the text describes another area than the one there was."""
        try:
            return bool(initial != area_from_text(data or ""))
        except InvalidArea:
            return True


@require_POST
@login_required
def read_area(request: HttpRequest) -> HttpResponse:
    """Answer the area of the text that was posted, for the map; or the reason why it is none."""
    try:
        area = area_from_text(request.POST.get("text", ""))
        encode_json(area)
    except InvalidArea as error:
        return JsonResponse({"error": refusal_text(error)})
    except InvalidArguments:
        return JsonResponse({"error": _unstorable()})
    return JsonResponse({"area": area})


def _unstorable() -> str:
    return _("The area holds a text or a number that cannot be stored.")


def _texts() -> dict[str, Any]:
    finish = _("Click the points of the area, or move the map and press Enter for each; then Finish.")
    return {
        "hints": {
            "Circle": _("Click the middle of the circle, or move the map there and press Enter."),
            "Polygon": finish,
            "LineString": _("Click the points of the road, or move the map and press Enter for each; then Finish."),
            "hole": _("Click the points of the hole inside the area; then Finish."),
            "edit": _("Drag the points, or choose one with Tab and move it with the arrow keys; Delete removes it."),
        },
        "radius_meters": _("Radius (m)"),
        "width_meters": _("Width (m)"),
        "vertex": _("Point"),
        "middle": _("New point"),
        "center": _("Middle of the circle"),
        "radius": _("Edge of the circle"),
        "crosses": _("The line of the area crosses itself: it cannot be saved like this."),
        "swapped": doubt_text(AreaDoubt.SWAPPED),
        "far": doubt_text(AreaDoubt.FAR),
        "unread": _("The server did not answer: the text is read when it is saved."),
        "large": _("The file is larger than 1 MB."),
    }
