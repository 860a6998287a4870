"""Pages for everyone: the choice of a language or theme, and what stands behind the unsubscribe link of an e-mail."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth import get_user_model
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import translation
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST
from django.views.i18n import LANGUAGE_QUERY_PARAMETER, set_language

from notifications_app.messages.unsubscribe_links import InvalidToken, Subscription, read_token
from notifications_app.models import Rule, Theme
from notifications_app.models.kinds import MESSAGE_KINDS
from notifications_app.services.destinations import is_unsubscribed, subscribe_again, unsubscribe
from notifications_app.services.preferences import keep_language, keep_theme
from tasks_app.web.second_factor import open_without_second_factor

THEME_COOKIE = "theme"
THEME_COOKIE_SECONDS = 365 * 24 * 3600


@open_without_second_factor
@require_POST
def choose_language(request: HttpRequest) -> HttpResponseBase:
    """Django's `set_language`, which sets a cookie; the language of a person who is logged in is stored, too."""
    language = request.POST.get(LANGUAGE_QUERY_PARAMETER, "")
    if request.user.is_authenticated and language in dict(settings.LANGUAGES):
        keep_language(request.user, language)
    return set_language(request)


@open_without_second_factor
@require_POST
def choose_theme(request: HttpRequest) -> HttpResponse:
    """Set the cookie of the theme and return to the page it was chosen on; that of a person is stored, too."""
    theme, following = request.POST.get("theme", ""), request.POST.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(following, {request.get_host()}, require_https=request.is_secure())
    response = HttpResponseRedirect(following if is_ours else reverse("pages:home"))
    if theme not in Theme.values:
        return response
    if request.user.is_authenticated:
        keep_theme(request.user, theme, language=request.LANGUAGE_CODE)
    response.set_cookie(
        THEME_COOKIE, theme, max_age=THEME_COOKIE_SECONDS, secure=settings.SESSION_COOKIE_SECURE, samesite="Lax"
    )
    return response


# The token is the authority: mail programs post without asking (RFC 8058), and have no cookie of ours.
@open_without_second_factor
@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe_page(request: HttpRequest, token: str) -> HttpResponse:
    try:
        subscription = read_token(token)
    except InvalidToken:
        context = {"title": _("This link is not complete"), "is_known": False}
        return render(request, "notifications_app/unsubscribe.html", context, status=404)
    if request.method == "POST":
        if request.POST.get("action") == "subscribe":
            subscribe_again(subscription)
        else:
            unsubscribe(subscription)
    with translation.override(_language_for(request, subscription.user_id)):
        is_off = is_unsubscribed(subscription)
        title = _("You get no more of these e-mails") if is_off else _("No more of these e-mails?")
        context = {"title": title, "is_known": True, "what": _what(subscription), "is_off": is_off}
        return render(request, "notifications_app/unsubscribe.html", context)


def _what(subscription: Subscription) -> str:
    name = Rule.objects.filter(pk=subscription.rule_id).values_list("name", flat=True).first()
    return name or str(MESSAGE_KINDS[subscription.kind].label)


def _language_for(request: HttpRequest, user_id: int) -> str:
    """Return the language that was chosen in this browser, else that of the e-mails of this person."""
    if settings.LANGUAGE_COOKIE_NAME in request.COOKIES:
        return translation.get_language()
    user = get_user_model().objects.select_related("notification_preference").filter(pk=user_id).first()
    preference = getattr(user, "notification_preference", None)
    return preference.language if preference else translation.get_language()
