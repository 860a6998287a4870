"""Notifying people: `notify` for given texts, the others for messages with templates."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from uuid import NAMESPACE_URL, uuid4, uuid5

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.utils import timezone

from notifications_app.matching.delivery_times import quiet_until
from notifications_app.messages.rendering import Message, Recipient, Rendered
from notifications_app.messages.safe_text import body, one_line
from notifications_app.models import ChannelKind, NotificationKind
from notifications_app.models.kinds import MESSAGE_KINDS
from notifications_app.queries.audience import person_of, preferences_of, recipient_of
from notifications_app.services.notifications.store import Attachment, Draft, write_notifications
from notifications_app.services.texts import render_message
from tasks_app.engine import current_job

# Alerts of the system of these levels wait for the end of quiet hours.
_MILD_LEVELS = {"info", "warning"}
_NO_MORE: Mapping[int, Collection[str]] = {}
ALL_CHANNELS = frozenset({ChannelKind.IN_APP, ChannelKind.EMAIL})


def notify(
    *,
    users: Iterable[AbstractUser],
    kind: str,
    subject: str,
    body_text: str,
    dedupe_key: str,
    body_html: str = "",
    channels: Collection[str] = ALL_CHANNELS,
    event_id: int | None = None,
    device_id: int | None = None,
    now: datetime | None = None,
) -> list[int]:
    """Write one notification of this NotificationKind per active user; return the ids of the new ones.

    Part of the caller's transaction. A user who already has a notification with `dedupe_key` (at most 200 characters)
    gets no second one. `body_html` must be safe HTML; the other texts are cleaned here.
    """
    rendered = Rendered(one_line(subject), body(body_text), body_html)
    drafts = [
        Draft(user.pk, kind, dedupe_key, rendered, channels, event_id, device_id) for user in users if user.is_active
    ]
    return write_notifications(drafts, now=now or timezone.now())


def notify_with_message(
    message: Message,
    *,
    people: Collection[AbstractUser],
    dedupe_key: str,
    now: datetime,
    fallback_zone: str = "",
    device_id: int | None = None,
    channels: Collection[str] = ALL_CHANNELS,
    more_channels: Mapping[int, Collection[str]] = _NO_MORE,
    attachments: tuple[Attachment, ...] = (),
) -> list[int]:
    """Write a message for each of these people in their language and time zone, through all channels: those of everybody
    and `more_channels` by user id.

    One that may wait is in the application at once, and sent elsewhere when its person's quiet hours are over.
    """
    render_for = MessageRenderer()
    preferences = preferences_of(people)
    zone = fallback_zone or settings.TIME_ZONE
    drafts = [
        Draft(
            user_id=person.pk,
            kind=message.kind,
            dedupe_key=dedupe_key,
            rendered=render_for(message, recipient_of(preferences[person.pk], zone)),
            channels={*channels, *more_channels.get(person.pk, ())},
            device_id=device_id,
            attachments=attachments,
            hold_until=quiet_until(person_of(person), now) if may_wait(message) else None,
        )
        for person in people
    ]
    return write_notifications(drafts, now=now)


def send_on_behalf(
    message: Message,
    *,
    owner: AbstractUser,
    addresses: Collection[str],
    dedupe_key: str,
    now: datetime,
    fallback_zone: str = "",
    attachments: tuple[Attachment, ...] = (),
) -> list[int]:
    """E-mail a message to addresses of people without an account, in the language of `owner`, who is responsible.

    Nothing is sent once the owner is not active any more. `dedupe_key` leaves room for an address (100 characters).
    """
    rendered = render_message(
        message, recipient_of(preferences_of([owner])[owner.pk], fallback_zone or settings.TIME_ZONE)
    )
    drafts = [
        Draft(
            user_id=owner.pk,
            kind=message.kind,
            dedupe_key=f"{dedupe_key}:{uuid5(NAMESPACE_URL, f'mailto:{address}')}",
            rendered=rendered,
            channels=frozenset({ChannelKind.EMAIL}),
            attachments=attachments,
            on_behalf_to=address,
        )
        for address in addresses
    ]
    return write_notifications(drafts, now=now)


def job_dedupe_key() -> str:
    """A key that is the same for every attempt of one job, and unique outside of jobs."""
    return f"job:{current_job().id or uuid4()}"


def may_wait(message: Message) -> bool:
    """Return whether quiet hours hold this message, which no rule requested."""
    is_mild = message.kind == NotificationKind.SYSTEM and message.context["level"] in _MILD_LEVELS
    return is_mild or MESSAGE_KINDS[message.kind].waits_in_quiet_hours


class MessageRenderer:
    """Renders each message once per recipient value, however many people share it."""

    def __init__(self) -> None:
        self._done: dict[tuple[int, Recipient], tuple[Message, Rendered]] = {}

    def __call__(self, message: Message, recipient: Recipient) -> Rendered:
        # The message is kept beside its text: an id is unique only as long as its object lives.
        key = id(message), recipient
        if key not in self._done:
            self._done[key] = message, render_message(message, recipient)
        return self._done[key][1]
