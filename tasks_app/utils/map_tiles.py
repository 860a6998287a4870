"""The tile server of maps, as the settings name it."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

_PLACES = ("{z}", "{x}", "{y}")
_HOST = re.compile(r"[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]")


def checked_tile_url(url: str) -> str:
    """Return `url` (empty for no tile server); raise ValueError, saying why, if no browser could ask it for tiles."""
    if not url:
        return url
    if any(place not in url for place in _PLACES):
        raise ValueError("It must contain {z}, {x} and {y}.")
    if url.startswith("/") and not url.startswith("//"):
        return url
    parts = urlsplit(url)
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise ValueError("It must begin with https://, http:// or a single / for this site itself.")
    host = parts.netloc.removesuffix(f":{parts.port}")
    if not _HOST.fullmatch(host):
        raise ValueError("Its host must be one plain name: pages may load pictures from that one only.")
    return url


@lru_cache(maxsize=8)
def tile_origin(url: str) -> str:
    """Return the origin that tiles come from; empty where that is this site, or where `url` is none or no good."""
    try:
        parts = urlsplit(checked_tile_url(url))
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""


def tile_settings() -> dict[str, Any] | None:
    """Return the tile server for the script of maps; None for none. Of the attribution, text and links stay."""
    url = settings.MAP_TILE_URL
    if not url:
        return None
    import nh3  # 2 MB, which most processes never need

    attribution = nh3.clean(settings.MAP_TILE_ATTRIBUTION, tags={"a"}, attributes={"a": {"href"}})
    return {"url": url, "attribution": attribution, "max_zoom": settings.MAP_TILE_MAX_ZOOM}
