"""The content security policies of answers, and the styles of a document inside a page that the page's policy lets through.

Nothing stands in a page but text: no script, no style, no handler. The only exception are e-mails, which are shown in a frame
without rights and have their styles in them: each is named by its hash.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re

from django.http import HttpRequest

# Nothing is loaded from another host, but the pictures of a map's tile server, if the settings name one.
PAGE_SOURCES = {
    "default-src": "'self'",
    "script-src": "'self'",
    "style-src": "'self'{styles}",
    "img-src": "'self' data: {tiles}",
    "font-src": "'self' data:",
    "object-src": "'none'",
    "base-uri": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
}
# Of what is no page: JSON, files, metrics, static files. A browser that shows it as a document runs and loads nothing.
NO_SOURCES = "default-src 'none'; frame-ancestors 'none'"

_STYLE_ELEMENT = re.compile(r"<style[^>]*>(.*?)</style>", re.DOTALL | re.IGNORECASE)
_STYLE_ATTRIBUTE = re.compile(r"""\sstyle="([^"]*)\"""", re.IGNORECASE)
# A header has to stay of a size that servers take.
MAX_STYLES = 80


def page_policy(*, tiles: str = "", styles: frozenset[str] = frozenset()) -> str:
    """Return the policy of a page, which lets these styles through by their hashes."""
    hashed = "".join(f" '{each}'" for each in sorted(styles)[:MAX_STYLES])
    allowed = f" 'unsafe-hashes'{hashed}" if styles else ""
    return "; ".join(
        f"{name} {text}".format(tiles=tiles, styles=allowed).rstrip() for name, text in PAGE_SOURCES.items()
    )


def style_hashes(document: str) -> frozenset[str]:
    """Return the hashes of every style in an HTML document, of elements and attributes, as a policy names them."""
    elements = _STYLE_ELEMENT.findall(document)
    attributes = [html.unescape(text) for text in _STYLE_ATTRIBUTE.findall(document)]
    return frozenset(_hash(text) for text in {*elements, *attributes})


def allow_styles(request: HttpRequest, document: str) -> None:
    """Let the styles of this document, which the answer shows in a frame, through the answer's policy."""
    allow_hashes(request, style_hashes(document))


def allow_hashes(request: HttpRequest, hashes: frozenset[str]) -> None:
    """Let styles with these hashes through: of a document that a script of the page will show."""
    request.shown_styles = styles_of(request) | hashes  # type: ignore[attr-defined]


def styles_of(request: HttpRequest) -> frozenset[str]:
    """Return the hashes of the styles that were allowed for the answer to this request."""
    found: frozenset[str] = getattr(request, "shown_styles", frozenset())
    return found


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
