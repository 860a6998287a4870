"""A project with stock django-q2 and nothing of ours: Redis broker, its own cluster, every result saved."""

from __future__ import annotations

import os

import environ

DATABASE_NAME = "bench_django_q2"

SECRET_KEY = "benchmarks-only"
USE_TZ = True
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "django_q"]
DATABASES = {"default": {**environ.Env().db_url_config(os.environ["DATABASE_URL"]), "NAME": DATABASE_NAME}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LOGGING = {"version": 1, "disable_existing_loggers": False}
Q_CLUSTER = {
    "name": "bench",
    "redis": os.environ["REDIS_URL"],
    "workers": int(os.environ.get("BENCH_WORKERS", "2")),
    "save_limit": 0,
    "timeout": 60,
    "retry": 120,
    "log_level": "WARNING",
}
