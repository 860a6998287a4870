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
