"""The interface of channels."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from notifications_app.models.kinds import Text

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractUser

    from notifications_app.models import Delivery

MAX_REASON_LENGTH = 500


class DeliveryError(Exception):
    """A delivery did not get through. The text is for people and is stored.

    `permanent`: trying again cannot help. `disables`: the address fails until it is repaired.
    """

    def __init__(self, reason: str, *, permanent: bool, disables: bool = False) -> None:
        super().__init__(reason[:MAX_REASON_LENGTH])
        self.permanent = permanent
        self.disables = disables


class InvalidDestination(ValueError):
    """The address of a destination is invalid; the text has the reason."""


@dataclass(frozen=True, slots=True)
class Configured:
    """A destination as it is stored: `address` may be read by people, `secrets` are encrypted."""

    address: str
    secrets: dict[str, str]


class Channel(ABC):
    """A way to send messages to people. A new one is a file here, a line in the registry and a test.

    `kind` is stored, `label` is shown, `phrase` completes "Notify <people> ..." in the description of a rule.
    """

    kind: ClassVar[str]
    label: ClassVar[Text]
    phrase: ClassVar[Text]
    # True where the stored notification is the message itself: nothing is left to send.
    sent_by_writing: ClassVar[bool] = False
    # True where people set up their own addresses (models.Destination), each of which gets its delivery.
    has_destinations: ClassVar[bool] = False

    def address_of(self, user: AbstractUser) -> str:
        """Return the address of `user`, for channels without destinations. Raises DeliveryError where there is none."""
        return ""

    def configure(self, url: str) -> Configured:
        """Check the address and return it as it is stored. Raises InvalidDestination."""
        raise InvalidDestination(self.kind)

    @abstractmethod
    def send(self, delivery: Delivery, address: str) -> str:
        """Send the notification of `delivery`; return what the other side answered, for people, without secrets.

        Repeating it must be recognisable as the same message to the receiver, where the channel can say so. Bounded in
        time well below the task's limit. Raises DeliveryError.
        """
