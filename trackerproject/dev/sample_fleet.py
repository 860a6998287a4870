"""The sample fleet of `make demo` and `make run`: vehicles, geofences, people and one rule, made once."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.core.management.base import CommandError
from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from knox.models import AuthToken

from notifications_app.models import ChannelKind, NotificationPreference, Rule
from tasks_app.ingest.simulation import DEVICE_LIMIT_KPH, device_ids, geofences
from tasks_app.models import Device, EventKind, Fleet, FleetMembership, FleetRole, Geofence, MaintenancePlan
from tasks_app.services.accounts import Replace, issue_token

FLEET_NAME = "São Paulo Deliveries"
TIME_ZONE = "America/Sao_Paulo"
# Name of their tokens among those of the operator.
SIMULATORS = "Simulated fleet"
# Key of the lock in PostgreSQL.
ONE_AT_A_TIME = 20_261_130


@dataclass(frozen=True, slots=True)
class SampleFleet:
    """The fleet and its operator, who also gets the alerts."""

    fleet: Fleet
    operator: User


@transaction.atomic
def ensure_sample_fleet(vehicles: int) -> SampleFleet:
    """Create what is missing of the sample fleet with this many vehicles; what is there is left as it is."""
    # Two commands of `make run` begin with this at the same moment.
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [ONE_AT_A_TIME])
    fleet, _ = Fleet.objects.get_or_create(
        name=FLEET_NAME, defaults={"time_zone": TIME_ZONE, "speed_limit_kph": DEVICE_LIMIT_KPH}
    )
    operator, _ = get_user_model().objects.get_or_create(
        username="ana", defaults={"email": "ana@example.org", "first_name": "Ana"}
    )
    FleetMembership.objects.get_or_create(fleet=fleet, user=operator, defaults={"role": FleetRole.OPERATOR})
    preference = {"language": "en", "time_zone": TIME_ZONE, "daily_summary": True}
    NotificationPreference.objects.get_or_create(user=operator, defaults=preference)
    for number, unique_id in enumerate(device_ids(vehicles), start=1):
        defaults = {"fleet": fleet, "name": f"Van {number:02d}", "kind": "van"}
        Device.objects.get_or_create(unique_id=unique_id, defaults=defaults)
    for area in geofences():
        defaults = {"area": area.area, "speed_limit_kph": area.speed_limit_kph}
        Geofence.objects.get_or_create(fleet=fleet, name=area.name, defaults=defaults)
    _ensure_rules(fleet, operator)
    _ensure_maintenance_plan(fleet)
    return SampleFleet(fleet, operator)


def _ensure_rules(fleet: Fleet, operator: User) -> None:
    channels = [ChannelKind.IN_APP, ChannelKind.EMAIL]
    speeding, created = Rule.objects.get_or_create(
        fleet=fleet,
        name="Speeding",
        # At most one alert per hour and vehicle.
        defaults={"event_kinds": [EventKind.OVERSPEED], "channels": channels, "cooldown_minutes": 60},
    )
    if created:
        speeding.users.add(operator)
    kinds = [EventKind.GEOFENCE_ENTER, EventKind.GEOFENCE_EXIT]
    depot, created = Rule.objects.get_or_create(
        fleet=fleet, name="Depot", defaults={"event_kinds": kinds, "channels": channels}
    )
    if created:
        depot.users.add(operator)
        depot.geofences.add(Geofence.objects.get(fleet=fleet, name="Depot"))


def _ensure_maintenance_plan(fleet: Fleet) -> None:
    device = fleet.devices.order_by("pk").first()
    if device:
        defaults = {"every_kilometers": 10_000, "every_days": 180, "last_done_at": timezone.now()}
        MaintenancePlan.objects.get_or_create(device=device, name="Oil change", defaults=defaults)


def new_token(user: User) -> str:
    """Return a fresh API token of `user`; the former ones of this fleet's simulators end, and no other.

    Raises CommandError for a user who may not log in.
    """
    user.refresh_from_db()  # A new password ended the tokens of those who were let in by the former one.
    if not user.is_active:
        raise CommandError(_("%(name)s is switched off and may not log in.") % {"name": user})
    AuthToken.objects.filter(user=user, details__name=SIMULATORS).delete()
    return issue_token(user=user, now=timezone.now(), name=SIMULATORS, replace=Replace.OLDEST)[0]
