"""The check of the system: administrators are notified of each trouble once, and again if it lasts another day."""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog
from django.db import transaction

from notifications_app.channels.base import DeliveryError
from notifications_app.models import ChannelKind, Delivery, DeliveryState, SystemTrouble
from notifications_app.queries.system_health import Trouble, troubles
from notifications_app.services.deliveries import DeliveryBusy, deliver
from notifications_app.services.system.alerts import alert_administrators
from tasks_app.engine import PermanentError

log = structlog.get_logger(__name__)

REPEAT_AFTER = timedelta(days=1)
# Trouble that comes and goes is not repeated each time.
FORGOTTEN_AFTER = timedelta(hours=1)


def check_system(*, now: datetime) -> dict[str, int]:
    """Notify of trouble that is new or due for repetition, delete rows of trouble that is over."""
    found = troubles(now=now)
    notified = sum(_notify_once(trouble, now=now) for trouble in found)
    SystemTrouble.objects.filter(key__in=[trouble.key for trouble in found]).update(seen_at=now)
    forgotten, _per_model = SystemTrouble.objects.filter(seen_at__lt=now - FORGOTTEN_AFTER).delete()
    return {"troubles": len(found), "notified": notified, "over": forgotten}


def _notify_once(trouble: Trouble, *, now: datetime) -> int:
    """Notify of a trouble unless it was done lately; return 1 if it was. Row and notifications commit together."""
    with transaction.atomic():
        row, is_new = SystemTrouble.objects.select_for_update().get_or_create(
            key=trouble.key, defaults={"since": now, "notified_at": now, "seen_at": now}
        )
        if not is_new and now - row.notified_at < REPEAT_AFTER:
            return 0
        row.notified_at = now
        row.save(update_fields=["notified_at"])
        log.error("system_trouble", key=trouble.key, subject=str(trouble.subject), reason=str(trouble.message))
        notified = alert_administrators(
            subject=trouble.subject,
            message=trouble.message,
            level=trouble.level,
            now=now,
            dedupe_key=f"trouble:{trouble.key}:{now.timestamp():.0f}",
        )
    if trouble.stops_messages:
        _send_at_once(notified, now=now)
    return 1


def _send_at_once(notification_ids: list[int], *, now: datetime) -> None:
    """Send these e-mails here, since their queue is the one in trouble; failures are left to the queue."""
    pending = Delivery.objects.filter(
        notification__in=notification_ids, channel=ChannelKind.EMAIL, state=DeliveryState.PENDING
    )
    for delivery_id in pending.order_by("pk").values_list("pk", flat=True):
        try:
            deliver(delivery_id, now=now)
        except (PermanentError, DeliveryBusy) as error:
            log.warning("system_trouble_not_sent", delivery_id=delivery_id, reason=str(error))
        except DeliveryError as error:
            log.warning("system_trouble_not_sent", delivery_id=delivery_id, reason=str(error))
            return
