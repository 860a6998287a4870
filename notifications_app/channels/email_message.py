"""The e-mail of a delivery: text, HTML with a sketch of the place, attachments, unsubscribe headers."""

from __future__ import annotations

import re
from email.encoders import encode_base64
from email.mime.base import MIMEBase
from email.mime.image import MIMEImage
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from django.conf import settings
from django.core.files.storage import default_storage
from django.core.mail import EmailMultiAlternatives
from django.utils.html import format_html
from django.utils.http import parse_header_parameters
from django.utils.translation import gettext as _

from notifications_app.channels.base import DeliveryError
from notifications_app.messages.map_sketch import draw
from notifications_app.messages.safe_text import one_line
from notifications_app.messages.unsubscribe_links import unsubscribe_url
from notifications_app.queries.sketch import sketch_of
from tasks_app.utils.hostnames import InvalidHostname, ascii_email

if TYPE_CHECKING:
    from notifications_app.models import Delivery, Notification, NotificationAttachment

# Where the templates let us put what is not the same for every recipient.
MAP_PLACE, UNSUBSCRIBE_PLACE = "<!--map-->", "<!--unsubscribe-->"
_MAP_ID = "map"


def build_email(delivery: Delivery, address: str) -> EmailMultiAlternatives:
    """The e-mail of a delivery, in the language that is active: always the same Message-ID, so that a repeated one is
    recognised as the same.

    Raises DeliveryError when a file that belongs to it cannot be read, or the address has no domain that could be looked up.
    """
    notification = delivery.notification
    picture = _picture(notification)
    leave_url = unsubscribe_url(notification)
    text, html = _texts(notification, with_map=picture is not None, leave_url=leave_url)
    message = EmailMultiAlternatives(
        subject=_subject(notification),
        body=text,
        to=[_mailable(address)],
        headers=_headers(delivery, leave_url),
    )
    if html:
        message.attach_alternative(html, "text/html")
    if picture is not None:
        # RFC 2387: the HTML and what it shows belong together.
        message.mixed_subtype = "related"  # type: ignore[attr-defined]
        message.attach(picture)
    for attachment in notification.attachments.all():
        message.attach(_attached(attachment))
    return message


def _subject(notification: Notification) -> str:
    """The subject. A name in it that looks like an encoded word (RFC 2047) would be decoded, but for an invisible joiner."""
    return one_line(notification.subject).replace("=?", "=\u2060?")


def _mailable(address: str) -> str:
    """Django would spell the domain by IDNA 2003."""
    try:
        return ascii_email(address)
    except InvalidHostname as error:
        reason = _("%(address)s is not an e-mail address.") % {"address": ascii(address)}
        raise DeliveryError(reason, permanent=True) from error


def message_id(delivery: Delivery) -> str:
    """`<delivery-ID.TIME@HOST>`; the time keeps ids apart after a database was set up anew under the same host."""
    host = re.sub(r"[^A-Za-z0-9.-]", "-", urlsplit(settings.SITE_URL).hostname or "localhost")
    return f"<delivery-{delivery.pk}.{delivery.created_at.timestamp():.0f}@{host}>"


def _headers(delivery: Delivery, leave_url: str) -> dict[str, str]:
    headers = {
        "Message-ID": message_id(delivery),
        "Auto-Submitted": "auto-generated",
        "X-Auto-Response-Suppress": "All",
    }
    if leave_url:
        # RFC 2369, and RFC 8058 for the button of mail programs that needs no page.
        headers |= {"List-Unsubscribe": f"<{leave_url}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
    return headers


def _texts(notification: Notification, *, with_map: bool, leave_url: str) -> tuple[str, str]:
    text, html = notification.body_text, notification.body_html
    if with_map:
        html = html.replace(MAP_PLACE, _map_html(), 1)
    if leave_url:
        text += "\n" + _("No more e-mails of this kind:") + f" {leave_url}\n"
        html = html.replace(UNSUBSCRIBE_PLACE, _unsubscribe_html(leave_url), 1)
    return text, html


def _map_html() -> str:
    style = "display:block;width:100%;max-width:504px;height:auto;margin:16px 0 0;border-radius:6px;border:0;"
    alt = _("A sketch of the place and the route there.")
    return format_html('<img src="cid:{}" alt="{}" width="504" style="{}">', _MAP_ID, alt, style)


def _unsubscribe_html(url: str) -> str:
    return format_html('<a href="{}">{}</a>', url, _("No more e-mails of this kind"))


def _picture(notification: Notification) -> MIMEImage | None:
    """The sketch, where the HTML has room for one and something is known to draw."""
    sketch = sketch_of(notification) if MAP_PLACE in notification.body_html else None
    if sketch is None:
        return None
    picture = MIMEImage(draw(sketch), "png")
    picture.add_header("Content-ID", f"<{_MAP_ID}>")
    picture.add_header("Content-Disposition", "inline", filename="map.png")
    return picture


def _attached(attachment: NotificationAttachment) -> MIMEBase:
    """The file as it is stored: as text, every line end in it would become one of mail."""
    content_type, parameters = parse_header_parameters(attachment.content_type)
    part = MIMEBase(*content_type.split("/", 1))
    for name, value in parameters.items():
        part.set_param(name, value)
    part.set_payload(_content_of(attachment))
    encode_base64(part)
    filename = attachment.file_name
    shown = filename if filename.isascii() else ("utf-8", "", filename)
    part.add_header("Content-Disposition", "attachment", filename=shown)
    return part


def _content_of(attachment: NotificationAttachment) -> bytes:
    """The bytes of an attachment. Raises DeliveryError: for good when the file is gone, else to be tried again."""
    try:
        with default_storage.open(attachment.storage_name) as file:
            return file.read()
    except FileNotFoundError as error:
        reason = _("The attached file %(name)s is no longer there.") % {"name": attachment.file_name}
        raise DeliveryError(reason, permanent=True) from error
    except OSError as error:
        raise DeliveryError(one_line(f"{type(error).__name__}: {error}"), permanent=False) from error
