"""Authentication: `Authorization: Token ...`, or the session of a page of the same site with its CSRF token."""

from __future__ import annotations

import re
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from knox.auth import TokenAuthentication as KnoxTokenAuthentication
from knox.crypto import hash_token
from knox.models import get_token_model
from rest_framework.authentication import SessionAuthentication as RestSessionAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request, is_form_media_type

from tasks_app.api.ingest_limits import count_refusal
from tasks_app.services.accounts import note_use

_TOKEN = re.compile(r"[\x21-\x7e]{1,100}")


class TokenAuthentication(KnoxTokenAuthentication):
    """Knox' tokens, found by their hash in one query.

    Repairs two things of knox 5.1: a token that is no UTF-8 or holds a NUL made it raise (a 500), and it read all tokens of
    the user on each request to remove expired ones (login does that here).
    """

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        """Like knox; an address whose tokens are refused too often hears 429. A good token always passes."""
        try:
            return super().authenticate(request)
        except AuthenticationFailed:
            count_refusal(request)
            raise

    def authenticate_credentials(self, token: bytes) -> tuple[Any, Any]:
        text = token.decode("latin-1")
        if not _TOKEN.fullmatch(text):
            raise AuthenticationFailed(_("Invalid token."))
        tokens = get_token_model().objects.select_related("user", "details").filter(digest=hash_token(text))
        # Not `first()`, which orders.
        found = next(iter(tokens[:1]), None)
        if found is None:
            raise AuthenticationFailed(_("Invalid token."))
        if found.expiry is not None and found.expiry <= timezone.now():
            raise AuthenticationFailed(_("The token has expired."), "token_expired")
        holder = self.validate_user(found)
        note_use(token=found, now=timezone.now())
        return holder


class SessionAuthentication(RestSessionAuthentication):
    """DRF's; only in a form is the CSRF token looked for, so any other body is left to the view that reads it."""

    def enforce_csrf(self, request: Any) -> None:
        super().enforce_csrf(request if is_form_media_type(request.content_type) else request._request)
