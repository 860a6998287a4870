"""Stock django-q2: its Redis broker and Cluster, results in PostgreSQL."""

from __future__ import annotations

import os
import sys

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.peers.django_q2_settings"
django.setup()

import psycopg2  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django_q.brokers import get_broker  # noqa: E402
from django_q.models import Task  # noqa: E402
from django_q.tasks import async_task  # noqa: E402

from benchmarks.peers.django_q2_settings import DATABASE_NAME  # noqa: E402
from benchmarks.peers.protocol import Peer  # noqa: E402

broker = get_broker()
enqueued = 0


def create_database() -> None:
    server = psycopg2.connect(os.environ["DATABASE_URL"])
    server.autocommit = True
    with server.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE_NAME])
        if cursor.fetchone() is None:
            cursor.execute(f'CREATE DATABASE "{DATABASE_NAME}"')
    server.close()
    call_command("migrate", verbosity=0)


def enqueue_one() -> None:
    async_task("benchmarks.peers.noop.noop", broker=broker)


def enqueue_bulk(jobs: int) -> None:
    global enqueued
    for _ in range(jobs):
        enqueue_one()
    enqueued += jobs


def clear() -> None:
    create_database()
    broker.connection.flushdb()
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE django_q_task")


PEER = Peer(
    name="django-q2",
    enqueue_bulk=enqueue_bulk,
    enqueue_one=enqueue_one,
    unfinished=lambda: enqueued - Task.objects.count(),
    worker_command=lambda workers: [sys.executable, "-m", "django", "qcluster"],
    clear=clear,
    stored=Task.objects.count,
)
