"""System checks: what must be true of the settings and, with `--database`, of the servers."""

from __future__ import annotations

from collections.abc import Sequence
from email.utils import parseaddr
from ipaddress import ip_network
from typing import Any

import redis
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import connection

from tasks_app.engine.config import engine_config
from tasks_app.engine.connection import RedisClient, client, masters_of
from tasks_app.ingest.message import KPH_PER
from tasks_app.redis_url import cluster_address, sentinel_address
from tasks_app.utils.business_hours import parse_business_hours
from tasks_app.utils.map_tiles import checked_tile_url
from tasks_app.utils.outgoing_http import InvalidUrl, parse_url

MEANINGFUL = {"name", "broker_class", "redis", "workers", "timeout", "catch_up", "label", "ALT_CLUSTERS"}
MEANINGFUL_PER_QUEUE = {"timeout", "workers", "attempts", "backoff_seconds", "backoff_cap_seconds", "lanes"}
# The days of positions are made and dropped by their owner only.
_FOREIGN_TABLES = r"""
    SELECT relname, pg_get_userbyid(relowner), current_user::text FROM pg_class
    WHERE relkind IN ('r', 'p') AND pg_table_is_visible(oid) AND CASE
        WHEN relname ~ '^tasks_app_position(_\d{8})?$' THEN NOT pg_has_role(relowner, 'USAGE')
        ELSE relname = ANY(%s) AND NOT has_table_privilege(oid, 'INSERT')
    END ORDER BY relname
"""
MIN_TOKEN_CHARACTERS = 20
HINTS = {
    "retry": "A job is given back when its worker dies, never because of its age: there is nothing to set.",
    "max_attempts": "Set 'attempts' for a queue in ALT_CLUSTERS, or max_attempts of a task.",
    "ack_failures": "Every job is acknowledged once its end is stored, failed or not.",
    "save_limit": "Every ended job gets a row; cleanup_job_history removes old ones.",
    "queue_limit": "Workers take as much as they can run in an instant; MAX_QUEUE_DEPTH caps what waits.",
    "recycle": "Workers do not share memory pools that would need recycling.",
    "orm": "Jobs live in Redis (TASK_ENGINE, QUEUE_REDIS_URL).",
    "sync": "Use tasks_app.engine.testing.inline_jobs() in tests.",
    "time_zone": "A schedule has its own time zone, TIME_ZONE otherwise.",
}


@register("tasks")
def check_cluster_options(**_: Any) -> list[CheckMessage]:
    """E001: an option of Q_CLUSTER that would be silently ignored."""
    options: dict[str, Any] = settings.Q_CLUSTER
    found = [(name, "Q_CLUSTER") for name in options if name not in MEANINGFUL]
    for queue, own in options.get("ALT_CLUSTERS", {}).items():
        found += [(name, f"Q_CLUSTER['ALT_CLUSTERS']['{queue}']") for name in own if name not in MEANINGFUL_PER_QUEUE]
    return [
        Error(
            f"{where}[{name!r}] has no meaning for this engine.",
            hint=HINTS.get(name, "Remove it: it would be ignored."),
            id="tasks_app.E001",
        )
        for name, where in found
    ]


@register("tasks")
def check_queues(**_: Any) -> list[CheckMessage]:
    """E002: a queue of settings.QUEUES without a cluster, or the reverse."""
    if set(settings.QUEUES) == set(settings.Q_CLUSTER.get("ALT_CLUSTERS", {})):
        return []
    return [Error("settings.QUEUES and Q_CLUSTER['ALT_CLUSTERS'] name different queues.", id="tasks_app.E002")]


@register("tasks")
def check_ingest(**_: Any) -> list[CheckMessage]:
    """E004: a unit of speed that does not exist. W005: a token of a server that could be guessed."""
    found: list[CheckMessage] = []
    if settings.INGEST_OSMAND_SPEED_UNIT not in KPH_PER:
        found.append(Error(f"INGEST_OSMAND_SPEED_UNIT must be one of {', '.join(KPH_PER)}.", id="tasks_app.E004"))
    if 0 < len(settings.TRACCAR_FORWARD_TOKEN) < MIN_TOKEN_CHARACTERS:
        hint = f"Take {MIN_TOKEN_CHARACTERS} or more random characters."
        found.append(Warning("TRACCAR_FORWARD_TOKEN can be guessed.", hint=hint, id="tasks_app.W005"))
    return found


@register("tasks")
def check_command_ways(**_: Any) -> list[CheckMessage]:
    """E010: settings by which no command could be sent. W009: a secret of a provider that could be guessed."""
    traccar, sms = settings.TRACCAR_SERVER, settings.SMS
    texts: list[str] = []
    if bool(traccar["URL"]) != bool(traccar["TOKEN"]):
        texts.append("TRACCAR_URL and TRACCAR_TOKEN are set both or neither.")
    texts += [
        f"{name} is no web address, or its host is not written out."
        for name, url in (("TRACCAR_URL", traccar["URL"]), ("SMS_URL", sms["URL"]))
        if url and not _is_address(url)
    ]
    if sms["METHOD"].upper() not in ("GET", "POST", "PUT"):
        texts.append("SMS_METHOD must be GET, POST or PUT.")
    texts += [
        f"SMS_{name} must be a JSON object of texts."
        for name in ("HEADERS", "PASSWORDS", "WAKE_UP_TEXTS")
        if not isinstance(sms[name], dict) or not all(isinstance(value, str) for value in sms[name].values())
    ]
    found: list[CheckMessage] = [Error(text, hint="See docs/commands.md.", id="tasks_app.E010") for text in texts]
    if 0 < len(sms["RECEIPT_SECRET"]) < MIN_TOKEN_CHARACTERS:
        hint = f"Take {MIN_TOKEN_CHARACTERS} or more random characters."
        found.append(Warning("SMS_RECEIPT_SECRET can be guessed.", hint=hint, id="tasks_app.W009"))
    return found


def _is_address(url: str) -> bool:
    """Whether this is a web address with a host in which nothing is filled in."""
    try:
        return "{" not in parse_url(url, allow_http=True).netloc
    except InvalidUrl:
        return False


@register("tasks")
def check_map_tiles(**_: Any) -> list[CheckMessage]:
    """E009: an address of a tile server that cannot be one."""
    try:
        checked_tile_url(settings.MAP_TILE_URL)
    except ValueError as error:
        hint = "For example https://tile.openstreetmap.org/{z}/{x}/{y}.png (docs/map.md)."
        return [Error(f"MAP_TILE_URL: {error}", hint=hint, id="tasks_app.E009")]
    return []


@register("tasks")
def check_networks_and_hours(**_: Any) -> list[CheckMessage]:
    """E011: networks, contacts or business hours that cannot be read, and would fail or be ignored where they are used."""
    texts = [
        f"{name}: {text!r} is no address or network."
        for name in ("TRUSTED_PROXIES", "OUTGOING_ALLOWED_NETWORKS")
        for text in map(str.strip, getattr(settings, name))
        if text and not (text == "unix" and name == "TRUSTED_PROXIES") and not _is_network(text)
    ]
    texts += [
        f"SECURITY_CONTACTS: {contact!r} begins with no mailto:, https: or tel:."
        for contact in map(str.strip, settings.SECURITY_CONTACTS)
        if not contact.startswith(("mailto:", "https:", "tel:"))
    ]
    try:
        parse_business_hours(settings.BUSINESS_HOURS)
    except ValueError as error:
        texts.append(f"BUSINESS_HOURS: {error}")
    return [Error(text, hint="See .env.example.", id="tasks_app.E011") for text in texts]


@register("tasks")
def check_mail(**_: Any) -> list[CheckMessage]:
    """E012: settings by which no e-mail could be sent."""
    texts: list[str] = []
    if settings.EMAIL_USE_TLS and settings.EMAIL_USE_SSL:
        texts.append("EMAIL_USE_TLS and EMAIL_USE_SSL exclude each other.")
    if "@" not in parseaddr(settings.DEFAULT_FROM_EMAIL)[1]:
        texts.append(f"DEFAULT_FROM_EMAIL: {settings.DEFAULT_FROM_EMAIL!r} is no address.")
    return [Error(text, hint="See .env.example.", id="tasks_app.E012") for text in texts]


def _is_network(text: str) -> bool:
    try:
        ip_network(text)
    except ValueError:
        return False
    return True


@register(Tags.security, deploy=True)
def check_proxies(**_: Any) -> list[CheckMessage]:
    """W006: every client is believed to be a proxy. W007: behind a proxy that is not named all clients are one."""
    found: list[CheckMessage] = []
    if any(network.strip().endswith("/0") for network in settings.TRUSTED_PROXIES):
        hint = "Name the addresses of your proxies."
        found.append(Warning("TRUSTED_PROXIES lets every client choose its address.", hint=hint, id="tasks_app.W006"))
    if settings.BEHIND_TLS_PROXY and not settings.TRUSTED_PROXIES:
        hint = "Name the proxy in TRUSTED_PROXIES, and let it set X-Forwarded-For (docs/production.md)."
        found.append(Warning("All clients count as one address, that of the proxy.", hint=hint, id="tasks_app.W007"))
    return found


# What they are taken for where a server does not know them.
_DURABILITY = {"maxmemory-policy": "noeviction", "min-replicas-to-write": "", "appendonly": ""}


@register(Tags.database)
def check_rights(*, databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """E013: tables that the role of DATABASE_URL may not use, as after a restore by another one."""
    if "default" not in (databases or ()):
        return []
    with connection.cursor() as cursor:
        cursor.execute(_FOREIGN_TABLES, [connection.introspection.django_table_names()])
        foreign = cursor.fetchall()
    if not foreign:
        return []
    table, owner, role = foreign[0]
    text = f"The database's role {role!r} may not use {len(foreign)} tables, of which {table!r} belongs to {owner!r}."
    hint = "Restore as the role of DATABASE_URL (docs/production.md), or give it all tables: ALTER TABLE ... OWNER TO."
    return [Error(text, hint=hint, id="tasks_app.E013")]


@register(Tags.database)
def check_redis(*, databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """W003: a Redis that may throw jobs away. W010: one that forgets them when it ends. W011: one that does not answer.
    W008: a master that accepts jobs while it is cut off from its replicas.

    Runs with `manage.py check --database default`, and before `migrate`. Django calls it before other commands, too, without
    databases.
    """
    if not databases:
        return []
    try:
        found = [_durability(master) for master in masters_of(client())]
    except (redis.ConnectionError, redis.TimeoutError) as error:
        hint = "Is it running, and are the address and password in REDIS_URL or QUEUE_REDIS_URL right?"
        return [Warning(f"Redis does not answer: {error}", hint=hint, id="tasks_app.W011")]
    except redis.RedisError:
        # A server of others may not tell how it is configured.
        return []
    warnings: list[CheckMessage] = []
    if "no" in {file for *_, file in found}:
        text = "Redis keeps no append-only file: when it ends, the jobs that wait are lost."
        hint = "Set appendonly yes on the server of the queues (deploy/valkey/valkey.conf)."
        warnings.append(Warning(text, hint=hint, id="tasks_app.W010"))
    if policies := {policy for policy, *_ in found} - {"noeviction"}:
        text = f"Redis may evict jobs: its maxmemory-policy is {', '.join(sorted(policies))}."
        hint = "Set maxmemory-policy noeviction on the server of the queues."
        warnings.append(Warning(text, hint=hint, id="tasks_app.W003"))
    url = engine_config().redis_url
    if (sentinel_address(url) or cluster_address(url)) and "0" in {replicas for _, replicas, _ in found}:
        text = "A Redis master that is cut off goes on accepting jobs, which are lost when another one takes over."
        hint = "Set min-replicas-to-write 1 on the servers of the queues, each with two replicas (docs/production.md)."
        warnings.append(Warning(text, hint=hint, id="tasks_app.W008"))
    return warnings


def _durability(master: RedisClient) -> tuple[str, str, str]:
    """Return a server's maxmemory-policy, min-replicas-to-write and appendonly."""
    found = {name: text for one in _DURABILITY for name, text in master.config_get(one).items()}
    policy, replicas, file = (found.get(name, usual) for name, usual in _DURABILITY.items())
    return policy, replicas, file
