"""How a device that connects by itself is known and reached, one row for each."""

from __future__ import annotations

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from tasks_app.ingest.trackers.registry import PROTOCOLS
from tasks_app.models.commands import WAKE_UP, CommandWay, chain_choices, protocol_choices
from tasks_app.models.devices import Device
from tasks_app.utils import sealing
from tasks_app.utils.networks import validate_networks

_PURPOSE = "tasks_app.device_access"
# No sign with a meaning of its own in commands; between login and password of a Teltonika stands a space.
MIN_PASSWORD_CHARACTERS, MAX_PASSWORD_CHARACTERS = 4, 40
validate_password = RegexValidator(
    r"^[A-Za-z0-9._@!-]+( [A-Za-z0-9._@!-]+)?$", _("Letters, digits and . _ @ ! - only.")
)


def relay_variant_choices() -> list[tuple[str, Any]]:
    """The forms of the engine's relay of all protocols; a function, so that a new one changes no migration."""
    return [
        (variant.name, f"{protocol.label}: {variant.label}")
        for protocol in PROTOCOLS.values()
        for variant in protocol.relay_variants
    ]


def relay_variants_of(protocol: str) -> frozenset[str]:
    """Return the names of the forms that trackers of this protocol may have."""
    return frozenset(one.name for one in PROTOCOLS[protocol].relay_variants) if protocol in PROTOCOLS else frozenset()


class DeviceAccess(models.Model):
    """How a device that connects by itself is known and reached.

    `protocol` is that of its last connection to the gateway, or what staff set. `ways` is the chain in which commands are
    tried, empty for the ways that the device has. `zone_minutes` is the offset of a clock that sends local time.
    `relay_variant` names one of its protocol's forms of the engine's relay, "" for what its connection shows. The tracker's
    own password, which its commands bear, is stored encrypted.
    """

    device = models.OneToOneField(
        Device, on_delete=models.CASCADE, primary_key=True, related_name="access", verbose_name=_("device")
    )
    protocol = models.CharField(_("protocol"), max_length=16, blank=True, choices=protocol_choices)
    ways = ArrayField(
        models.CharField(max_length=8, choices=chain_choices),
        default=list,
        blank=True,
        verbose_name=_("ways of commands"),
    )
    phone_number = models.CharField(
        _("phone number"),
        max_length=16,
        blank=True,
        validators=[RegexValidator(r"^\+[1-9][0-9]{6,14}$", _("Write it as +5511999990000."))],
        help_text=_("Of the SIM card in the device, for commands by SMS."),
    )
    allowed_networks = ArrayField(
        models.CharField(max_length=43),
        default=list,
        blank=True,
        validators=[validate_networks],
        verbose_name=_("allowed networks"),
        help_text=_("Addresses the tracker may connect from, such as 203.0.113.0/24; empty uses the fleet's."),
    )
    zone_minutes = models.SmallIntegerField(
        _("offset of its clock (minutes)"),
        null=True,
        blank=True,
        validators=[MinValueValidator(-720), MaxValueValidator(840)],
        help_text=_("Of trackers that send local time; empty for what their protocol says."),
    )
    relay_variant = models.CharField(
        _("relay of the engine"),
        max_length=16,
        blank=True,
        default="",
        db_default="",
        choices=relay_variant_choices,
        help_text=_(
            "The form of the command that stops the engine; empty for what its protocol and its connection show."
        ),
    )
    encrypted_password = models.TextField(editable=False, blank=True, default="", db_default="")
    last_connected_at = models.DateTimeField(_("last connected at"), null=True, blank=True, editable=False)

    class Meta:
        default_permissions = ()
        verbose_name = _("access of a device")
        verbose_name_plural = _("access of devices")

    def __str__(self) -> str:
        return str(self.device)

    def clean(self) -> None:
        """Refuse a way that is named twice, and SMS without a number to send it to."""
        if len(set(self.ways)) < len(self.ways):
            raise ValidationError({"ways": _("Name each way once.")})
        if self.relay_variant and self.relay_variant not in relay_variants_of(self.protocol):
            raise ValidationError({"relay_variant": _("Trackers of this protocol do not have it.")})
        if {CommandWay.SMS, WAKE_UP} & set(self.ways) and not self.phone_number:
            raise ValidationError({"phone_number": _("Commands by SMS need it.")})

    @property
    def password(self) -> str:
        """The tracker's password, "" for that of the factory. Raises sealing.Unreadable if no key opens it."""
        return sealing.decrypted(self.encrypted_password, _PURPOSE) if self.encrypted_password else ""

    @password.setter
    def password(self, text: str) -> None:
        self.encrypted_password = sealing.encrypted(text, _PURPOSE) if text else ""

    @property
    def has_password(self) -> bool:
        return bool(self.encrypted_password)

    def encrypt_again(self) -> None:
        """Encrypt the password with the first key. Raises sealing.Unreadable."""
        self.encrypted_password = sealing.encrypted_again(self.encrypted_password, _PURPOSE)
