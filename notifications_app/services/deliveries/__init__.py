"""Deliveries: sending, retrying and, after an outage, merging them."""

from notifications_app.services.deliveries.sending import (
    DeliveryBusy,
    NotRetryable,
    deliver,
    retry_deliveries,
    retry_delivery,
)

__all__ = ["DeliveryBusy", "NotRetryable", "deliver", "retry_deliveries", "retry_delivery"]
