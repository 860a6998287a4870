"""/.well-known/security.txt (RFC 9116): where security problems are to be reported."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from tasks_app.web.second_factor import open_without_second_factor

# The text is made anew for each request; who keeps it longer asks again.
VALID_FOR = timedelta(days=30)


@open_without_second_factor
@require_safe
def security_txt(request: HttpRequest) -> HttpResponse:
    """Return the contacts of the settings; 404 without any."""
    if not settings.SECURITY_CONTACTS:
        raise Http404(_("No contact is set."))
    return HttpResponse(
        contact_text(settings.SECURITY_CONTACTS, timezone.now()), content_type="text/plain; charset=utf-8"
    )


def contact_text(contacts: list[str], now: datetime) -> str:
    """Return the text, one field a line. A line break in a setting ends its value."""
    expires_at = (now + VALID_FOR).astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    languages = ", ".join(code for code, _name in settings.LANGUAGES)
    lines = [
        *(f"Contact: {line[0].strip()}" for contact in contacts if (line := contact.strip().splitlines())),
        f"Expires: {expires_at:%Y-%m-%dT%H:%M:%SZ}",
        f"Preferred-Languages: {languages}",
        f"Canonical: {settings.SITE_URL.rstrip('/')}/.well-known/security.txt",
    ]
    return "\n".join(lines) + "\n"
