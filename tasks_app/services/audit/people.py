"""The person of an audit entry, and the place they acted from."""

from __future__ import annotations

import getpass
import os
import socket
from typing import Any

from tasks_app.engine.storable import storable_text
from tasks_app.models.audit import MAX_CLIENT_CHARS
from tasks_app.utils.audit_source import CommandSource, RequestSource, Source
from tasks_app.utils.client_addresses import parse_address

_WAYS = (("/api/", "api"), ("/admin/", "admin"), ("/ingest/", "ingest"))
MAX_USERNAME_CHARS = 150


def person_fields(source: Source | None, user: Any) -> dict[str, Any]:
    """Return the fields of an entry that say who did it; `user` where the source does not know them."""
    if user is None and isinstance(source, RequestSource):
        user = getattr(source.request, "user", None)
    if user is not None and user.pk is not None:
        return {"user_id": user.pk, "username": storable_text(user.get_username(), MAX_USERNAME_CHARS)}
    is_of_shell = isinstance(source, CommandSource) or (user is not None and not hasattr(user, "get_username"))
    return {"user_id": None, "username": storable_text(machine_user(), MAX_USERNAME_CHARS) if is_of_shell else ""}


def place_fields(source: Source | None, user: Any) -> dict[str, Any]:
    """Return the fields of an entry that say from where."""
    if isinstance(source, RequestSource):
        return _of_request(source.request)
    if isinstance(source, CommandSource):
        return {"way": source.way, "origin": f"manage.py {source.command}"[:200], "client": machine_name()}
    # A job that acts for a person, or code that was called from a shell without a command.
    is_of_shell = user is not None and user.pk is None
    return {"way": "shell" if is_of_shell else "job", "client": machine_name() if is_of_shell else ""}


def machine_user() -> str:
    """Return the user of the machine, who has no account here."""
    try:
        return f"shell: {getpass.getuser()}"
    except (KeyError, OSError):  # a container whose user id has no name
        return f"shell: {os.getuid()}"


def machine_name() -> str:
    return storable_text(socket.gethostname(), MAX_CLIENT_CHARS)


def _of_request(request: Any) -> dict[str, Any]:
    way = next((way for start, way in _WAYS if request.path_info.startswith(start)), "pages")
    address = parse_address(str(request.META.get("REMOTE_ADDR") or ""))
    return {
        "way": way,
        "origin": storable_text(_operation(request), 200),
        "address": str(address) if address else None,
        "client": storable_text(request.META.get("HTTP_USER_AGENT", ""), MAX_CLIENT_CHARS),
    }


def _operation(request: Any) -> str:
    """The method and the pattern of the address: an address itself may hold a secret, as links do."""
    match = request.resolver_match
    return f"{request.method} /{match.route}" if match else str(request.method)
