"""Rows that pages show: a fleet of so many devices with what happened to them, ended jobs, and jobs that wait."""

from __future__ import annotations

import math
import random
from datetime import UTC, datetime, timedelta

from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone

from benchmarks.noop_tasks.tasks import bench_noop
from benchmarks.sample_fleet import CENTRE, GEOFENCES, polygon
from tasks_app.engine.connection import client
from tasks_app.ingest.fix import Fix
from tasks_app.models import Device, DeviceState, Fleet, FleetMembership, FleetRole, Geofence
from tasks_app.services.positions.store import store_fixes

FLEET = "Pages"
DAYS = 30
SPREAD_DEGREES = 0.4
CHUNK = 10_000
ENQUEUED_AT_ONCE = 1_000
FIX_SECONDS = 10
NOTIFICATIONS = 500
REPORTS = 500
EMPTIED = ("tasks_app_device", "tasks_app_job", "notifications_app_notification", "reports_app_report")


def clear_pages() -> None:
    """Remove what the pages show, of this run or of one that was broken off."""
    client().flushdb()
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {', '.join(EMPTIED)} CASCADE")
    Fleet.objects.filter(name=FLEET).delete()


def make_people() -> tuple[User, User]:
    """A manager of the fleet, and an administrator."""
    users = get_user_model().objects
    fleet, _ = Fleet.objects.get_or_create(name=FLEET, defaults={"time_zone": "America/Sao_Paulo"})
    manager, _ = users.get_or_create(username="bench-manager")
    FleetMembership.objects.get_or_create(user=manager, fleet=fleet, defaults={"role": FleetRole.MANAGER})
    admin, _ = users.get_or_create(username="bench-admin", defaults={"is_staff": True, "is_superuser": True})
    chance = random.Random(5)
    areas = [Geofence(fleet=fleet, name=f"Area {number}", area=polygon(chance)) for number in range(GEOFENCES)]
    Geofence.objects.bulk_create(areas)
    return manager, admin


def grow_fleet(devices: int) -> list[Device]:
    """Have so many devices, each with a state and ten events of the last days; return them in the order they were made."""
    fleet = Fleet.objects.get(name=FLEET)
    first = fleet.devices.count()
    made = [
        Device(fleet=fleet, unique_id=f"pages-{n:05d}", name=f"Van {n:05d}", kind="van") for n in range(first, devices)
    ]
    Device.objects.bulk_create(made, batch_size=CHUNK)
    chance, now = random.Random(first), timezone.now()
    DeviceState.objects.bulk_create([state_of(device, chance, now) for device in made], batch_size=CHUNK)
    if made:
        execute(_EVENTS, [made[0].pk])
    execute("ANALYZE")
    return list(fleet.devices.order_by("pk"))


def state_of(device: Device, chance: random.Random, now: datetime) -> DeviceState:
    """Return a state somewhere around CENTRE: seven of ten devices are online, half of those move."""
    latitude, longitude = (middle + chance.gauss(0, SPREAD_DEGREES / 3) for middle in CENTRE)
    is_online = chance.random() < 0.7
    is_moving = is_online and chance.random() < 0.5
    seen_at = now - timedelta(seconds=chance.randrange(60 if is_online else 86_400))
    return DeviceState(
        device=device, status="online" if is_online else "offline", last_seen_at=seen_at, fix_time=seen_at,
        latitude=latitude, longitude=longitude, speed_kph=chance.uniform(10, 90) if is_moving else 0.0,
        course_degrees=chance.uniform(0, 360), is_moving=is_moving, ignition=is_moving,
        odometer_meters=chance.uniform(1e6, 9e7), attributes={"ignition": is_moving, "sat": 9},
    )  # fmt: skip


def drive_a_day(device: Device, day: datetime) -> None:
    """Store a whole day of this device, a fix every FIX_SECONDS: driving and resting by the hour."""
    latitude, longitude, course = *CENTRE, 0.0
    fixes = []
    for second in range(0, 86_400, FIX_SECONDS):
        is_driving = second // 3600 % 2 == 1
        if is_driving:
            course += 3
            latitude += 0.0008 * math.cos(math.radians(course))
            longitude += 0.0008 * math.sin(math.radians(course))
        at = day + timedelta(seconds=second)
        attributes = {"ignition": is_driving}
        fixes.append(
            Fix(device.unique_id, at, latitude, longitude, 35.0 * is_driving, course % 360, attributes=attributes)
        )
    for start in range(0, len(fixes), CHUNK // 2):
        store_fixes(fixes[start : start + CHUNK // 2], timezone.now())


def make_rows_of_people(manager: User) -> None:
    """Notifications of the manager, and reports about the fleet's devices."""
    execute(_NOTIFICATIONS, [manager.pk, NOTIFICATIONS])
    execute(_REPORTS, [REPORTS, FLEET, manager.pk])


def make_ended_jobs(jobs: int, requested_by: User) -> None:
    """So many jobs that ended within the last DAYS: one in fifty failed, one in two hundred was cancelled."""
    execute(_JOBS, {"jobs": jobs, "days": DAYS, "user": requested_by.pk})
    # As autovacuum does on a server that is not this young.
    execute("VACUUM (ANALYZE) tasks_app_job")


def enqueue_jobs(jobs: int) -> None:
    """So many jobs that wait; no worker runs."""
    for start in range(0, jobs, ENQUEUED_AT_ONCE):
        bench_noop.enqueue_many([()] * min(ENQUEUED_AT_ONCE, jobs - start))


def execute(statement: str, parameters: object = None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)


def day_before_yesterday() -> datetime:
    """Midnight UTC; in no zone of these people is any of that day in the future."""
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=2)


_EVENTS = """
    INSERT INTO tasks_app_event (device_id, kind, occurred_at, created_at, latitude, longitude, data)
    SELECT d.id, (ARRAY['ignition_on', 'ignition_off', 'overspeed', 'device_offline', 'device_online'])[1 + n %% 5],
           now() - interval '1 minute' * (n * 997 + d.id %% 997), now(), -23.55, -46.63,
           CASE n %% 5 WHEN 2 THEN '{"speed_kph": 95.5, "speed_limit_kph": 80}'::jsonb ELSE '{}' END
    FROM tasks_app_device d, generate_series(1, 10) n WHERE d.id >= %s
"""
_NOTIFICATIONS = """
    INSERT INTO notifications_app_notification
        (user_id, kind, event_data, dedupe_key, subject, body_text, body_html, on_behalf_to, created_at, read_at)
    SELECT %s, 'speed', '{}', 'pages-' || n, 'Van ' || n || ' is too fast', 'It drives 95 km/h where 80 km/h are allowed.',
           '', '', now() - interval '1 hour' * n, CASE WHEN n > 20 THEN now() END
    FROM generate_series(1, %s) n
"""
_REPORTS = """
    INSERT INTO reports_app_report
        (kind, device_id, range_start, range_end, state, error, held_device_ids, request_key, requested_by_id, created_at)
    SELECT 'trips', d.id, now() - interval '2 days', now() - interval '1 day', 'failed', 'Of a benchmark.', ARRAY[d.id], '',
           u.id, now() - interval '1 hour' * n
    FROM generate_series(1, %s) n, auth_user u,
         (SELECT min(d.id) AS id FROM tasks_app_device d JOIN tasks_app_fleet f ON f.id = d.fleet_id WHERE f.name = %s) d
    WHERE u.id = %s
"""
# Four tasks by turns, as they come in a fleet's day; the failed ones have two errors.
_JOBS = """
    INSERT INTO tasks_app_job
        (id, task, queue, state, args, kwargs, result, error_class, error_message, traceback, attempts, attempt_count, priority,
         logs, requested_by_id, schedule_id, label, created_at, started_at, finished_at, wait_seconds, run_seconds, worker_host,
         worker_pid)
    SELECT gen_random_uuid(),
           (ARRAY['process_position_batch', 'generate_device_report', 'deliver_notification', 'cleanup_old_events'])[kind],
           (ARRAY['positions', 'reports', 'notifications', 'cleanup'])[kind],
           state, '[]',
           CASE kind WHEN 2 THEN jsonb_build_object('device_id', 1 + n %% 1000, 'start', 'yesterday', 'end', 'yesterday')
                     WHEN 3 THEN jsonb_build_object('delivery_id', n) WHEN 4 THEN '{"days_to_keep": 90}'
                     ELSE jsonb_build_object('position_data_list', 'hundred') END,
           CASE state WHEN 'succeeded' THEN '{"stored": 100}'::jsonb END,
           CASE state WHEN 'failed' THEN (ARRAY['TimeoutError', 'OperationalError'])[1 + n %% 2] ELSE '' END,
           CASE state WHEN 'failed' THEN 'connection ' || n || ' was lost' ELSE '' END, '',
           '[]', 1, 'normal', '[]',
           CASE WHEN n %% 10 = 0 THEN %(user)s END, CASE WHEN n %% 7 = 0 THEN 1 END, '',
           ended_at - interval '2 seconds', ended_at - interval '1 second', ended_at, 1, n %% 60,
           'worker-' || n %% 3, 100 + n %% 8
    FROM (
        SELECT n, 1 + (n * 7 %% 10 + n %% 3) %% 4 AS kind,
               CASE WHEN n %% 50 = 0 THEN 'failed' WHEN n %% 200 = 1 THEN 'cancelled' ELSE 'succeeded' END AS state,
               now() - interval '1 day' * %(days)s * n / %(jobs)s AS ended_at
        FROM generate_series(1, %(jobs)s) n
    ) made
"""
