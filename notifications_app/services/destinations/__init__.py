"""Destinations of people: set up, tested, switched off; and e-mails they unsubscribed from."""

from notifications_app.services.destinations.opt_outs import is_unsubscribed, subscribe_again, unsubscribe
from notifications_app.services.destinations.store import (
    TooManyDestinations,
    TooManyTests,
    add_destination,
    change_destination,
    record_test,
    reencrypt_all,
    rotate_signing_secret,
    send_test,
    set_address,
    switch_off,
    switch_on,
)

__all__ = [
    "TooManyDestinations",
    "TooManyTests",
    "add_destination",
    "change_destination",
    "is_unsubscribed",
    "record_test",
    "reencrypt_all",
    "rotate_signing_secret",
    "send_test",
    "set_address",
    "subscribe_again",
    "switch_off",
    "switch_on",
    "unsubscribe",
]
