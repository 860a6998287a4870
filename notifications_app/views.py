"""The page behind the unsubscribe link of an e-mail: GET asks, POST acts (mail programs post without asking, RFC 8058)."""

from __future__ import annotations

from django.contrib.auth import get_user_model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import translation
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from notifications_app.messages.unsubscribe_links import InvalidToken, Subscription, read_token
from notifications_app.models import Rule
from notifications_app.models.kinds import MESSAGE_KINDS
from notifications_app.services.destinations import is_unsubscribed, subscribe_again, unsubscribe


# The token is the authority; a mail program has no cookie of ours.
@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe_page(request: HttpRequest, token: str) -> HttpResponse:
    try:
        subscription = read_token(token)
    except InvalidToken:
        return render(request, "notifications_app/unsubscribe.html", {"is_known": False}, status=404)
    if request.method == "POST":
        if request.POST.get("action") == "subscribe":
            subscribe_again(subscription)
        else:
            unsubscribe(subscription)
    with translation.override(_language_of(subscription.user_id)):
        context = {"is_known": True, "what": _what(subscription), "is_off": is_unsubscribed(subscription)}
        return render(request, "notifications_app/unsubscribe.html", context)


def _what(subscription: Subscription) -> str:
    name = Rule.objects.filter(pk=subscription.rule_id).values_list("name", flat=True).first()
    return name or str(MESSAGE_KINDS[subscription.kind].label)


def _language_of(user_id: int) -> str:
    user = get_user_model().objects.select_related("notification_preference").filter(pk=user_id).first()
    preference = getattr(user, "notification_preference", None)
    return preference.language if preference else translation.get_language()
