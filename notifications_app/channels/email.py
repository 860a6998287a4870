"""E-mail through the SMTP server of the settings."""

from __future__ import annotations

import smtplib
from typing import TYPE_CHECKING

from django.core.exceptions import ValidationError
from django.core.mail import BadHeaderError
from django.core.validators import validate_email
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from notifications_app.channels.base import Channel, DeliveryError
from notifications_app.channels.email_message import build_email
from notifications_app.messages.safe_text import one_line
from notifications_app.models import Destination

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractUser

    from notifications_app.models import Delivery

# Of a recipient: log in first (530), and who may send what to whom (RFC 3463, X.7.X) are about us, not about the recipient.
_LOG_IN_FIRST, _SECURITY_OR_POLICY = 530, "5.7."
# Of the sender: the message is too large. Of a recipient: the mailbox is full, which passes.
_NO_ROOM = 552


class EmailChannel(Channel):
    kind = "email"
    label = gettext_lazy("E-mail")
    phrase = gettext_lazy("by e-mail")

    def address_of(self, user: AbstractUser) -> str:
        if not user.email:
            raise DeliveryError(_("The user has no e-mail address."), permanent=True)
        try:
            validate_email(user.email)
        except ValidationError as error:
            reason = _("%(address)s is not an e-mail address.") % {"address": ascii(user.email)}
            raise DeliveryError(reason, permanent=True) from error
        off = Destination.objects.filter(user=user.pk, kind=self.kind, address=user.email, is_enabled=False).first()
        if off is not None:
            reason = _("The address is switched off: %(reason)s") % {"reason": off.disabled_reason}
            raise DeliveryError(reason, permanent=True)
        return user.email

    def send(self, delivery: Delivery, address: str) -> str:
        try:
            build_email(delivery, address).send()
        except BadHeaderError as error:
            raise DeliveryError(str(error), permanent=True) from error
        except OSError as error:  # smtplib's errors are OSErrors too
            permanent = is_permanent(error)
            disables = permanent and _is_wrong_address(error)
            raise DeliveryError(_reason(error), permanent=permanent, disables=disables) from error
        return _("accepted by the mail server")


def is_permanent(error: OSError) -> bool:
    """Return whether the server refused this message for good (RFC 5321 section 4.2.1: 5yz).

    What it says of itself, of our account or of our address as the sender can be repaired.
    """
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(code >= 500 and not _is_about_us(code, text) for code, text in error.recipients.values())
    if isinstance(error, smtplib.SMTPSenderRefused):
        return error.smtp_code == _NO_ROOM
    return isinstance(error, smtplib.SMTPDataError) and error.smtp_code >= 500


def _is_wrong_address(error: OSError) -> bool:
    """Return whether the recipient was refused for good, as will be every other message to them."""
    return isinstance(error, smtplib.SMTPRecipientsRefused) and all(
        code != _NO_ROOM for code, _text in error.recipients.values()
    )


def _is_about_us(code: int, text: bytes | str) -> bool:
    return code == _LOG_IN_FIRST or _decoded(text).startswith(_SECURITY_OR_POLICY)


def _reason(error: OSError) -> str:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return "; ".join(_answer(code, text) for code, text in error.recipients.values())
    if isinstance(error, smtplib.SMTPResponseException):
        return _answer(error.smtp_code, error.smtp_error)
    return one_line(f"{type(error).__name__}: {error}")


def _answer(code: int, text: bytes | str) -> str:
    if code < 0:  # smtplib found no number
        return one_line(_("The answer is none of a mail server: %(text)s") % {"text": _decoded(text)})
    return one_line(f"{code} {_decoded(text)}")


def _decoded(text: bytes | str) -> str:
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else text
