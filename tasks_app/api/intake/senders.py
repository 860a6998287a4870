"""Senders: a device by its key, a server by its token or, where that is allowed, any client that names a device."""

from __future__ import annotations

from base64 import b64decode

from django.conf import settings
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _
from rest_framework import status
from rest_framework.exceptions import APIException, AuthenticationFailed, PermissionDenied, Throttled
from rest_framework.request import Request

from tasks_app.api.errors import ApiError
from tasks_app.api.ingest_limits import address_of, count_device, count_refusal
from tasks_app.ingest.errors import BodyError
from tasks_app.ingest.fix import Fix
from tasks_app.ingest.message import DeviceMessage
from tasks_app.models import Device
from tasks_app.queries.senders import device_named, device_of_key
from tasks_app.services.intake import TooManyNewDevices, register_unknown

KEY_PARAMETERS = ("key", "token")
# Faults of the set-up, not of a fix: the device's identifier has to be corrected.
IDENTITY_CODES = {"missing_device_id", "invalid_device_id"}


def sent_key(request: Request, path_key: str = "") -> str:
    """The key or token of a request: in a header, in the address, or, for phones, in the query; "" without one."""
    scheme, _space, credentials = request.headers.get("Authorization", "").partition(" ")
    bearer = credentials.strip() if scheme.lower() == "bearer" else ""
    if scheme.lower() == "basic":
        bearer = _password(credentials)
    header = request.headers.get("X-Device-Key", "").strip()
    if bearer or header:
        return bearer or header
    queried = next((found for name in KEY_PARAMETERS if (found := request.query_params.get(name))), "")
    # An app that wants its server's address to end in a slash puts one behind the query too.
    return (path_key or queried).strip().rstrip("/")


def _password(credentials: str) -> str:
    """The password of HTTP Basic, where phone apps have a field for the key; "" where there is none."""
    try:
        return b64decode(credentials.strip(), validate=True).decode().partition(":")[2].strip()
    except ValueError:
        return ""


def key_holder(request: Request, path_key: str = "") -> Device | None:
    """The active device whose key was sent; None without a key, where INGEST_ALLOW_UNSIGNED lets that pass.

    Raises AuthenticationFailed (401), PermissionDenied (403, the device is switched off), Throttled.
    """
    key = sent_key(request, path_key)
    if not key and settings.INGEST_ALLOW_UNSIGNED:
        return None
    device = device_of_key(key)
    if device is None:
        raise refused(request, _no_key() if not key else AuthenticationFailed(_("No device has this key.")))
    return _active(request, device)


def proven_holder(request: Request) -> Device:
    """The active device whose key was sent, without which nothing passes here. Raises as `key_holder`."""
    device = key_holder(request)
    if device is None:
        raise refused(request, _no_key())
    return device


def sender_named(request: Request, holder: Device | None, unique_id: str) -> Device | None:
    """The sending device by the identifier in its message; None for an unknown one.

    Raises PermissionDenied when the key is another device's, AuthenticationFailed when the device has a key and did not
    send it, Throttled.
    """
    if holder is not None:
        if holder.unique_id != unique_id:
            raise refused(request, PermissionDenied(_("The key belongs to another device."), "wrong_device"))
        device = holder
    else:
        found = device_named(unique_id)
        if found is None:
            return None
        if found.ingest_key_hash:
            raise refused(request, _no_key())
        device = _active(request, found)
    count_device(device)
    return device


def known_or_registered(
    request: Request,
    device: Device | None,
    message: DeviceMessage,
    unknown_status: int = status.HTTP_400_BAD_REQUEST,
    *,
    is_trusted: bool = False,
) -> Device:
    """`device`, or for a message with a good fix or an alarm a new one where INGEST_REGISTER_UNKNOWN allows it.

    `is_trusted` is for a server that proved who it is: not the number from its address is limited. Raises ApiError, and
    Throttled where too many joined in this hour.
    """
    if device is None and (isinstance(message.content, Fix) or message.unlocated is not None):
        address = None if is_trusted else address_of(request)
        try:
            device = register_unknown(unique_id=message.device_id, address=address, name=message.device_name)
        except TooManyNewDevices as error:
            detail = _("Too many unknown devices joined in this hour; go on later, or enter the device.")
            raise Throttled(error.retry_after_seconds, detail, "too_many_new_devices") from error
    if device is None:
        detail = _("No device has this identifier.")
        raise refused(request, ApiError(unknown_status, "unknown_device", detail))
    return device


def server_of_token(request: Request) -> None:
    """Return when the request carries TRACCAR_FORWARD_TOKEN. Raises AuthenticationFailed, PermissionDenied (not set)."""
    expected = settings.TRACCAR_FORWARD_TOKEN
    if not expected:
        raise refused(request, PermissionDenied(_("TRACCAR_FORWARD_TOKEN is not set."), "not_configured"))
    if not constant_time_compare(sent_key(request), expected):
        raise refused(request, AuthenticationFailed(_("The token is wrong or missing.")))


def active_device_named(request: Request, unique_id: str) -> Device | None:
    """The device named by a trusted server; None for an unknown one. Raises PermissionDenied."""
    device = device_named(unique_id)
    return None if device is None else _active(request, device)


def refused(request: Request, error: APIException) -> APIException:
    """The error, counted for its sender's address. Raises Throttled in its place when there are too many."""
    count_refusal(request)
    return error


def bad_body(error: BodyError) -> ApiError:
    """The 4xx of a body that cannot be read."""
    too_large = error.code in ("body_too_large", "too_many_fixes")
    code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE if too_large else status.HTTP_400_BAD_REQUEST
    return ApiError(code, error.code, error.detail)


def _active(request: Request, device: Device) -> Device:
    if not device.is_active:
        raise refused(request, PermissionDenied(_("The device is not active."), "inactive_device"))
    return device


def _no_key() -> AuthenticationFailed:
    return AuthenticationFailed(_("Send the device's key."), "not_authenticated")
