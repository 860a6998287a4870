"""Destinations: set up, tested, switched off when they stop working."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils.translation import gettext as _

from notifications_app.channels.base import InvalidDestination
from notifications_app.channels.registry import CHANNELS
from notifications_app.channels.webhook import new_signing_secret
from notifications_app.messages.kinds.channel import channel_off_message, channel_test_message
from notifications_app.models import ChannelKind, Delivery, Destination, Notification, NotificationKind
from notifications_app.models.encryption import Unreadable, reencrypt
from notifications_app.queries.audience import preferences_of, recipient_of
from notifications_app.services.notifications import Draft, enqueue_deliveries, notify_with_message, write_notifications
from notifications_app.services.texts import render_message
from tasks_app.services.rows import hold_row, store_row

MAX_DESTINATIONS_PER_USER = 50
TEST_WINDOW = timedelta(minutes=10)


class TooManyTests(Exception):
    """Too many tests were sent; wait some minutes."""


class TooManyDestinations(Exception):
    """A user has no room for more destinations."""


@transaction.atomic
def add_destination(*, user: Any, kind: str, name: str, url: str) -> Destination:
    """Create a destination of `user`. Raises InvalidDestination, TooManyDestinations, ValidationError (name taken)."""
    _one_at_a_time(user)
    if Destination.objects.filter(user=user).count() >= MAX_DESTINATIONS_PER_USER:
        raise TooManyDestinations(TooManyDestinations.__doc__)
    destination = Destination(user=user, kind=kind, name=name)
    set_address(destination, url)
    store_row(destination)
    return destination


def set_address(destination: Destination, url: str) -> None:
    """Set another address without saving; a webhook keeps its signing secret. Raises InvalidDestination."""
    channel = CHANNELS.get(destination.kind)
    if channel is None or not channel.has_destinations:
        raise InvalidDestination(_("This channel takes no destinations."))
    configured = channel.configure(url)
    secrets = dict(configured.secrets)
    if destination.pk and "signing_secret" in secrets:
        secrets["signing_secret"] = _kept_signing_secret(destination) or secrets["signing_secret"]
    destination.address, destination.secrets = configured.address, secrets


@transaction.atomic
def change_destination(
    destination: Destination, *, name: str | None = None, url: str | None = None, is_enabled: bool | None = None
) -> None:
    """Give a destination what is not None. Raises InvalidDestination, ValidationError (name taken), RowGone."""
    hold_row(destination)
    destination.name = destination.name if name is None else name
    if url is not None:
        set_address(destination, url)
    if is_enabled is not None:
        destination.is_enabled = is_enabled
    # Two columns are no input: what makes them checks it.
    store_row(destination, unchecked=["encrypted_secrets", "address"])
    if is_enabled:
        switch_on(destination)


@transaction.atomic
def rotate_signing_secret(destination: Destination) -> str:
    """Replace a webhook's signing secret and return the new one. Raises RowGone."""
    hold_row(destination)
    secret = new_signing_secret()
    destination.secrets = {**destination.secrets, "signing_secret": secret}
    destination.save(update_fields=["encrypted_secrets"])
    return secret


@transaction.atomic
def switch_on(destination: Destination) -> None:
    """Switch a destination on. Raises RowGone."""
    hold_row(destination)
    destination.is_enabled, destination.disabled_reason, destination.disabled_at = True, "", None
    destination.save(update_fields=["is_enabled", "disabled_reason", "disabled_at"])


def switch_off(delivery: Delivery, *, reason: str, now: datetime) -> None:
    """Switch off the address of this delivery and notify its owner of the reason, once for all deliveries."""
    user = delivery.notification.user
    if delivery.notification.on_behalf_to:
        return  # Not an address of ours to switch off.
    destination = delivery.destination or _email_destination(user)
    off = {"is_enabled": False, "disabled_reason": reason[:500], "disabled_at": now}
    # An address that was changed while this one was tried has not failed.
    tried = Destination.objects.filter(pk=destination.pk, encrypted_secrets=destination.encrypted_secrets)
    if not tried.filter(is_enabled=True).update(**off):
        return
    message = channel_off_message(channel=destination.kind, name=destination.name, reason=reason, at=now)
    # Not through the channel that was just switched off.
    channels = {ChannelKind.IN_APP.value, ChannelKind.EMAIL.value} - {destination.kind}
    key = f"channel-off:{destination.pk}:{now.isoformat()}"
    notify_with_message(message, people=[user], dedupe_key=key, now=now, channels=channels)


def record_test(destination: Destination, *, now: datetime) -> None:
    """Store the time of a successful test."""
    Destination.objects.filter(pk=destination.pk).update(tested_at=now)


@transaction.atomic
def send_test(*, user: Any, kind: str, destination: Destination | None = None, now: datetime) -> int:
    """Send `user` a test message through a channel, or to one of their destinations; return the delivery's id.

    It is a delivery like others, with its row in the log. Raises TooManyTests, RowGone.
    """
    _one_at_a_time(user)
    if destination:
        hold_row(destination)
    recent = Notification.objects.filter(user=user, kind=NotificationKind.TEST, created_at__gt=now - TEST_WINDOW)
    if recent.count() >= settings.CHANNEL_TESTS_PER_10_MINUTES:
        raise TooManyTests(TooManyTests.__doc__)
    recipient = recipient_of(preferences_of([user])[user.pk], settings.TIME_ZONE)
    name = destination.name if destination else ""
    rendered = render_message(channel_test_message(channel=kind, name=name, at=now), recipient)
    draft = Draft(user.pk, NotificationKind.TEST, f"test:{uuid4()}", rendered, ())
    (notification_id,) = write_notifications([draft], now=now)
    delivery = Delivery.objects.create(notification_id=notification_id, channel=kind, destination=destination)
    transaction.on_commit(partial(enqueue_deliveries, [delivery.pk]))
    return delivery.pk


def reencrypt_all() -> Mapping[str, int]:
    """Encrypt every secret with the first key again; `unreadable` are those that no key opens."""
    counts = {"reencrypted": 0, "unreadable": 0}
    for destination in Destination.objects.exclude(encrypted_secrets="").iterator():
        try:
            token = reencrypt(destination.encrypted_secrets)
        except Unreadable:
            counts["unreadable"] += 1
            continue
        unchanged = Destination.objects.filter(pk=destination.pk, encrypted_secrets=destination.encrypted_secrets)
        counts["reencrypted"] += unchanged.update(encrypted_secrets=token)
    return counts


def _one_at_a_time(user: Any) -> None:
    """Lock the user until the transaction ends: what is counted then, or is no one's name yet, stays so."""
    get_user_model().objects.select_for_update(no_key=True).filter(pk=user.pk).first()


def _kept_signing_secret(destination: Destination) -> str:
    try:
        return destination.secrets.get("signing_secret", "")
    except Unreadable:
        return ""


def _email_destination(user: Any) -> Destination:
    """The row that marks the account's e-mail address as switched off."""
    Destination.objects.filter(user=user, kind=ChannelKind.EMAIL).exclude(address=user.email).delete()
    found, _created = Destination.objects.get_or_create(
        user=user, kind=ChannelKind.EMAIL, name=user.email[:100], defaults={"address": user.email}
    )
    return found
