"""How the REST API authenticates, reads, limits and answers."""

from __future__ import annotations

from typing import Any

REST: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "tasks_app.api.authentication.TokenAuthentication",
        "tasks_app.api.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["tasks_app.api.parsers.JSONBodyParser"],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_THROTTLE_CLASSES": ["tasks_app.api.throttling.BudgetThrottle"],
    "EXCEPTION_HANDLER": "tasks_app.api.errors.exception_handler",
    # Nothing inside reads X-Forwarded-For: REMOTE_ADDR is the client already.
    "NUM_PROXIES": 0,
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}

DEFAULT_BUDGETS = {
    "anonymous": 60,
    "logins": 60,
    "reads": 1200,
    "writes": 300,
    "ingest": 6000,
    "reports": 30,
    "alerts": 60,
    "commands": 120,
}


def request_budgets(env: Any) -> dict[str, int]:
    """Requests of one person in a minute by what they do, from a variable API_..._PER_MINUTE each; 0 for no limit.

    Those without log-in, and log-ins, are counted by address.
    """
    return {name: env.int(f"API_{name.upper()}_PER_MINUTE", default=limit) for name, limit in DEFAULT_BUDGETS.items()}
