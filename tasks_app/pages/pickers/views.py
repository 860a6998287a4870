"""The suggestions, for the script of the fields."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from tasks_app.web.pickers import suggestions


@login_required
@require_safe
def pick(request: HttpRequest, kind: str) -> JsonResponse:
    """Return the rows of a kind that the user may see and that fit what was typed."""
    try:
        return JsonResponse({"results": suggestions(kind, request.user, request.GET.get("q", ""))})
    except KeyError as error:
        raise Http404 from error
