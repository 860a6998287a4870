"""What a channel is: it takes one delivery to one person, or says why it cannot."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractUser

    from notifications_app.models import Delivery

MAX_REASON_LENGTH = 500


class DeliveryError(Exception):
    """A delivery did not get through. `permanent`: trying again cannot help. The text is for people and is stored."""

    def __init__(self, reason: str, *, permanent: bool) -> None:
        super().__init__(reason[:MAX_REASON_LENGTH])
        self.permanent = permanent


class Channel(ABC):
    """One way to reach a person. Adding one: a file, a line in the registry, a member of ChannelKind, a test file."""

    kind: ClassVar[str]
    # True where the stored notification is the message itself: nothing is left to send.
    sent_by_writing: ClassVar[bool] = False

    def address_of(self, user: AbstractUser) -> str:
        """Where this channel reaches `user`. Raises DeliveryError where it cannot."""
        return ""

    @abstractmethod
    def send(self, delivery: Delivery, address: str) -> None:
        """Send the notification of `delivery`. Repeating it must be recognisable as the same message to the receiver.

        Raises DeliveryError.
        """
