"""One request to a server that the operator named in the settings.

Its address may be private, unlike those that users enter: it is the operator's own, a Traccar server on the same network for
one, and nothing of a user's gets into its host.
"""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.translation import gettext as _

from tasks_app.services.commands.attempts import NothingWritten
from tasks_app.utils.outgoing_addresses import networks
from tasks_app.utils.outgoing_http import Answer, InvalidUrl, connected, parse_url

# A command's row is locked meanwhile.
TOTAL_SECONDS = 10.0
MAX_EXCERPT_CHARACTERS = 200
_EVERYWHERE = networks(["0.0.0.0/0", "::/0"])


def ask(method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
    """Return the answer. Raises NothingWritten where the server was not reached, OSError where nobody knows what it got."""
    try:
        parts = parse_url(url, allow_http=True)
    except InvalidUrl as error:
        raise NothingWritten(_("The address in the settings is not a web address.")) from error
    is_reached = False
    try:
        with connected(parts, allowed=_EVERYWHERE, total_seconds=TOTAL_SECONDS) as connection:
            is_reached = True
            return connection.request(method, body, headers)
    except OSError as error:
        if is_reached:
            raise
        reason = _("The server %(host)s was not reached: %(error)s")
        raise NothingWritten(reason % {"host": parts.hostname, "error": error}) from error


def excerpt(answer: Answer) -> str:
    """Return status and first line of an answer, for people."""
    lines = answer.body.decode("utf-8", "replace").strip().splitlines()
    first = "".join(character for character in lines[0] if character.isprintable()) if lines else ""
    return f"{answer.status} {first[:MAX_EXCERPT_CHARACTERS]}".strip()
