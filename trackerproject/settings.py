"""All settings, from the environment, listed in `.env.example`. Production refuses to start half-configured."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from trackerproject.command_ways import sms_provider, traccar_server
from trackerproject.commands import command_settings
from trackerproject.databases import databases
from trackerproject.environment import Environment, entries
from trackerproject.file_storage import file_storage, static_storage
from trackerproject.logs import logging_config
from trackerproject.openapi import OPENAPI
from trackerproject.queues import TASKS_APPS, alt_clusters, declared_tasks, processor_count
from trackerproject.redis_servers import caches, channel_layers, queue_url
from trackerproject.rest import REST, request_budgets
from trackerproject.retention import retention_days
from trackerproject.theme import ADMIN_THEME
from trackerproject.trackers import gateway_settings
from trackerproject.two_factor import TWO_FACTOR_APPS

BASE_DIR = Path(__file__).resolve().parent.parent

env = Environment()
if (BASE_DIR / ".env").is_file():
    env.read_env(str(BASE_DIR / ".env"))

DEBUG = env.bool("DEBUG", default=False)


def required(name: str, development_default: str) -> str:
    """Return the variable; in development fall back to a default, in production refuse to start without it."""
    value = env.str(name, default="")
    if value.strip(", "):
        return value
    if DEBUG:
        return development_default
    raise ImproperlyConfigured(f"{name} must be set in the environment (or set DEBUG=1 for development).")


LOCAL_DATABASE_URL = LOCAL_REDIS_URL = ""
if DEBUG:  # Production imports nothing of trackerproject.dev.
    from trackerproject.dev.embedded import default_database_url, default_redis_url

    LOCAL_DATABASE_URL, LOCAL_REDIS_URL = default_database_url(BASE_DIR), default_redis_url(BASE_DIR)
SECRET_KEY = required("SECRET_KEY", "development-only-key-never-used-in-production-0123456789")
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
# The first encrypts secrets of channels, all decrypt (docs/channels.md); a list of its own survives a new SECRET_KEY.
ENCRYPTION_KEYS = env.list("ENCRYPTION_KEYS", default=[]) or [SECRET_KEY, *SECRET_KEY_FALLBACKS]
ALLOWED_HOSTS = entries(required("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]"))
SITE_URL = env.web_address("SITE_URL", default="http://127.0.0.1:8000")
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
DATABASE_URL = required("DATABASE_URL", LOCAL_DATABASE_URL)
REDIS_URL = required("REDIS_URL", LOCAL_REDIS_URL)
# The queues may have a Redis of their own, which may be a Redis Cluster.
QUEUE_REDIS_URL = queue_url(env.str("QUEUE_REDIS_URL", default=REDIS_URL))

# --- Applications -----------------------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "trackerproject",
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.import_export",
    # Pages of the admin are loaded with the addresses (urls.py): the clusters do without.
    "django.contrib.admin.apps.SimpleAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "rest_framework",
    "knox",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "import_export",
    "axes",
    "js_lib_leaflet",
    *TWO_FACTOR_APPS,
    # Before django_q: our qcluster, qinfo and qmonitor replace its commands of the same name.
    "tasks_app",
    "notifications_app",
    "reports_app",
    "django_q",
    *TASKS_APPS,
    *(["trackerproject.dev"] if DEBUG else []),
    *env.apps("EXTRA_APPS"),  # for example with tasks of your own
]

MIDDLEWARE = [
    "trackerproject.observed_requests.observe_request",
    "django.middleware.security.SecurityMiddleware",
    "tasks_app.web.audit.audited_requests",
    "trackerproject.middleware.content_security_policy",
    "trackerproject.middleware.CompressedPages",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "trackerproject.middleware.user_preferences",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "trackerproject.page_answers.page_answers",
    "tasks_app.web.login.LoginMiddleware",
    "tasks_app.web.second_factor.demand_second_factor",
    "axes.middleware.AxesMiddleware",
    "tasks_app.api.conditional.conditional_answers",
    "tasks_app.api.unknown.no_page_of_patterns",
]

ROOT_URLCONF = "trackerproject.urls"
WSGI_APPLICATION = "trackerproject.wsgi.application"
ASGI_APPLICATION = "trackerproject.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    },
]

# --- Data -------------------------------------------------------------------------------------------------------------

DATABASES = databases(
    DATABASE_URL,
    env.str("DATABASE_REPLICA_URL", default=""),
    max_age_seconds=env.int("DATABASE_CONN_MAX_AGE_SECONDS", default=60),
    test_suffix=env.str("TEST_DB_SUFFIX", default=""),
)
DATABASE_ANSWER_SECONDS = env.float("DATABASE_ANSWER_SECONDS", default=20.0)  # of web processes
DATABASE_ROUTERS = ["tasks_app.queries.replica.ReplicaRouter"] if "replica" in DATABASES else []
# A report waits so long for the replica to have what the primary has; after that it is computed from the primary.
REPLICA_MAX_LAG_SECONDS = env.float("REPLICA_MAX_LAG_SECONDS", default=10.0)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# The cache shares the server with the queues under its own prefix; nothing calls cache.clear(): it flushes the server.
CACHE_KEY_PREFIX = env.str("CACHE_KEY_PREFIX", default="tracker-cache")
CACHES = caches(REDIS_URL, CACHE_KEY_PREFIX)
SESSION_COOKIE_AGE = env.count("SESSION_COOKIE_AGE_SECONDS", default=14 * 24 * 3600)

# --- Task engine ------------------------------------------------------------------------------------------------------

QUEUES = ("positions", "reports", "cleanup", "notifications")
Q_CLUSTER: dict[str, Any] = {
    # The prefix of every queue key: two installations on one Redis need two names.
    "name": env.str("QUEUE_PREFIX", default="tq"),
    "broker_class": "tasks_app.engine.broker.RedisStreamsBroker",
    "redis": QUEUE_REDIS_URL,
    "workers": env.int("WORKERS", default=2),
    "timeout": 60,
    "catch_up": False,
    "label": _("Background work"),
    "ALT_CLUSTERS": alt_clusters(
        positions=env.int("POSITIONS_WORKERS", default=processor_count()),
        reports=env.int("REPORTS_WORKERS", default=1),
        cleanup=env.int("CLEANUP_WORKERS", default=1),
        notifications=env.int("NOTIFICATIONS_WORKERS", default=1),
        position_lanes=env.int("POSITIONS_LANES", default=16),
    ),
}
TASK_ENGINE = {
    # Where the engine hands finished jobs over, asks for stored ones and lets due schedules run: it knows no model.
    "JOB_STORE": "tasks_app.services.jobs.store",
    "SCHEDULES": "tasks_app.services.schedules.actions",
    "MAX_PAYLOAD_BYTES": env.count("MAX_JOB_PAYLOAD_BYTES", default=4 * 1024 * 1024),
    "MAX_RESULT_BYTES": env.int("MAX_JOB_RESULT_BYTES", default=256 * 1024),
    "MAX_QUEUE_DEPTH": env.count("MAX_QUEUE_DEPTH", default=2_000_000),
    "GRACE_SECONDS": env.int("SHUTDOWN_GRACE_SECONDS", default=25),
}
TASKS = declared_tasks(QUEUES, env)  # of apps that use django.tasks: docs/django-tasks.md

# --- Positions and their intake ---------------------------------------------------------------------------------------

MAX_BATCH_FIXES = env.count("MAX_BATCH_FIXES", default=5000)
MAX_BATCH_BYTES = env.count("MAX_BATCH_BYTES", default=2 * 1024 * 1024)
# The largest file of positions that may be uploaded for an import.
MAX_UPLOAD_BYTES = env.count("MAX_UPLOAD_BYTES", default=256 * 1024 * 1024)
OFFLINE_AFTER_MINUTES = env.count("OFFLINE_AFTER_MINUTES", default=15)
# The number of rejected fixes that are kept per device, with the reason.
FILTERED_FIXES_KEPT = env.int("FILTERED_FIXES_KEPT", default=100)
QUARANTINE_MAX_ROWS = env.int("QUARANTINE_MAX_ROWS", default=1000)
# Partitions are created daily for so many days ahead, and for any other day when its first fix arrives.
PARTITION_DAYS_AHEAD = env.int("PARTITION_DAYS_AHEAD", default=7)
# Ways in for devices (docs/devices.md). Unsigned: a device's identifier is enough, unless the device has a key.
INGEST_ALLOW_UNSIGNED = env.bool("INGEST_ALLOW_UNSIGNED", default=False)
INGEST_REGISTER_UNKNOWN = env.str("INGEST_REGISTER_UNKNOWN", default="")
INGEST_REGISTER_MAX_DEVICES = env.int("INGEST_REGISTER_MAX_DEVICES", default=1000)
# Unknown devices that are registered per hour: in all, and from one address (except a Traccar server with its token).
INGEST_REGISTER_PER_HOUR = env.int("INGEST_REGISTER_PER_HOUR", default=200)
INGEST_REGISTER_PER_ADDRESS_PER_HOUR = env.int("INGEST_REGISTER_PER_ADDRESS_PER_HOUR", default=20)
INGEST_OSMAND_SPEED_UNIT = env.str("INGEST_OSMAND_SPEED_UNIT", default="knots")
INGEST_DEVICE_PER_MINUTE = env.count("INGEST_DEVICE_PER_MINUTE", default=6000)
INGEST_REFUSALS_PER_MINUTE = env.int("INGEST_REFUSALS_PER_MINUTE", default=300)
TRACCAR_FORWARD_TOKEN = env.str("TRACCAR_FORWARD_TOKEN", default="")
GATEWAY = gateway_settings(env)  # that trackers connect to
COMMANDS = command_settings(env)  # to devices
TRACCAR_SERVER, SMS = traccar_server(env), sms_provider(env)  # that commands go through

# --- Alerts -----------------------------------------------------------------------------------------------------------

ALERT_MAX_AGE_MINUTES = env.int("ALERT_MAX_AGE_MINUTES", default=15)
# The number of events within ten minutes that notify a person one by one; further ones are merged into a digest.
ALERT_FLOOD_EVENTS = env.int("ALERT_FLOOD_EVENTS", default=100)
# The number of late events of the last day from which on they make a digest; fewer are only recorded. 0: no digest.
ALERT_BACKLOG_EVENTS = env.int("ALERT_BACKLOG_EVENTS", default=10)
# Limits above which administrators are notified: the age of a waiting job, failures of one task within an hour, disk use.
SYSTEM_ALERT_QUEUE_AGE_MINUTES = env.int("SYSTEM_ALERT_QUEUE_AGE_MINUTES", default=10)
SYSTEM_ALERT_FAILED_JOBS = env.int("SYSTEM_ALERT_FAILED_JOBS", default=50)
SYSTEM_ALERT_DISK_PERCENT = env.int("SYSTEM_ALERT_DISK_PERCENT", default=90)

# --- Retention and clean-up -------------------------------------------------------------------------------------------

# Defaults of the retention settings in the admin; one variable RETENTION_..._DAYS each.
RETENTION_DAYS = retention_days(env)
REPORT_KEEP_DAYS = RETENTION_DAYS["reports"]
ARCHIVE_POSITIONS = env.bool("ARCHIVE_POSITIONS", default=False)
DUPLICATE_POSITION_METERS = env.float("DUPLICATE_POSITION_METERS", default=1.0)
DUPLICATE_POSITION_SECONDS = env.float("DUPLICATE_POSITION_SECONDS", default=1.0)
# A clean-up stops after this time and continues at its next run. Below the time limit of its queue.
CLEANUP_MAX_SECONDS = env.count("CLEANUP_MAX_SECONDS", default=3000)
# In TIME_ZONE, Monday to Friday. The database is not optimized during these hours unless forced. Empty: no such hours.
BUSINESS_HOURS = env.str("BUSINESS_HOURS", default="07:00-19:00")
# The size allowed for the database (0: unlimited); administrators are notified so many days before.
STORAGE_BUDGET_BYTES = env.int("STORAGE_BUDGET_BYTES", default=0)
STORAGE_ALERT_DAYS = env.int("STORAGE_ALERT_DAYS", default=30)

# --- Reports ----------------------------------------------------------------------------------------------------------

MAX_REPORT_DAYS = env.count("MAX_REPORT_DAYS", default=366)
# A report younger than this answers an equal request, even if data arrived since.
REPORT_REUSE_SECONDS = env.int("REPORT_REUSE_SECONDS", default=60)
# A report of more rows than this is written to a file by a job, not during the request for the download.
REPORT_INLINE_ROWS = env.int("REPORT_INLINE_ROWS", default=20_000)
# The requester of a report that took longer than this is notified when it is ready.
REPORT_NOTICE_AFTER_SECONDS = env.int("REPORT_NOTICE_AFTER_SECONDS", default=120)
# Of the runs of a report schedule that were missed, the latest is made up for if it is not older than this.
REPORT_CATCH_UP_DAYS = env.int("REPORT_CATCH_UP_DAYS", default=7)
# The number of failures in a row after which a report schedule is switched off.
REPORT_SCHEDULE_MAX_FAILURES = env.count("REPORT_SCHEDULE_MAX_FAILURES", default=5)
# The files of a scheduled report are sent as links if they are larger than this.
REPORT_MAX_ATTACHMENT_BYTES = env.int("REPORT_MAX_ATTACHMENT_BYTES", default=10 * 1024 * 1024)

# --- Live (WebSocket) -------------------------------------------------------------------------------------------------

CHANNEL_LAYERS = channel_layers(REDIS_URL, f"{Q_CLUSTER['name']}:live:")
LIVE_MAX_CONNECTIONS_PER_USER = env.count("LIVE_MAX_CONNECTIONS_PER_USER", default=20)
LIVE_AUTHENTICATE_SECONDS = env.float("LIVE_AUTHENTICATE_SECONDS", default=10.0)
# Connections of users who logged out or lost a fleet end at once, or after this time if the change was not announced.
LIVE_CHECK_SECONDS = env.float("LIVE_CHECK_SECONDS", default=1.0)
LIVE_REREAD_SECONDS = env.float("LIVE_REREAD_SECONDS", default=30.0)  # of devices, for changes that were missed

# --- Security ---------------------------------------------------------------------------------------------------------

AUTHENTICATION_BACKENDS = [
    "tasks_app.web.login.LoginLimitsBackend",
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
# Limits of log-ins are ours (docs/adr/0007): axes keeps the records, and two of its settings are read by both.
AXES_HANDLER = "tasks_app.web.login_records.LoginRecords"
AXES_LOCK_OUT_AT_FAILURE = False
AXES_FAILURE_LIMIT = env.count("LOGIN_FAILURE_LIMIT", default=10)
AXES_COOLOFF_TIME = timedelta(minutes=env.count("LOGIN_LOCKOUT_MINUTES", default=15))
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_SENSITIVE_PARAMETERS = ["code"]  # beside the password: of a recovery code with one wrong letter the rest is right
# Failures of unknown devices: on one account from everywhere, and of one address on all accounts.
LOGIN_ACCOUNT_FAILURE_LIMIT = env.count("LOGIN_ACCOUNT_FAILURE_LIMIT", default=30)
LOGIN_ADDRESS_FAILURE_LIMIT = env.count("LOGIN_ADDRESS_FAILURE_LIMIT", default=20)
# A device, or address, that logged in to an account is known there for so long.
LOGIN_DEVICE_DAYS = env.count("LOGIN_DEVICE_DAYS", default=180)
STAFF_TWO_FACTOR = env.bool("STAFF_TWO_FACTOR", default=False)  # Staff have to set up a second factor (docs/adr/0016).
OTP_TOTP_THROTTLE_FACTOR = OTP_STATIC_THROTTLE_FACTOR = 0  # Our limits of log-ins cover codes.
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}Validator"}
    for name in ("UserAttributeSimilarity", "MinimumLength", "CommonPassword", "NumericPassword")
]
LOGIN_URL = "pages:login"
LOGIN_REDIRECT_URL = "pages:home"
CSRF_FAILURE_VIEW = "tasks_app.api.errors.csrf_failure"
INSECURE_HTTP = DEBUG or env.bool("INSECURE_HTTP", default=False)
SECURE_SSL_REDIRECT = not INSECURE_HTTP
# Probes come from inside, over plain HTTP.
SECURE_REDIRECT_EXEMPT = [r"^health", r"^metrics$"]
SESSION_COOKIE_SECURE = not INSECURE_HTTP
CSRF_COOKIE_SECURE = not INSECURE_HTTP
SECURE_HSTS_SECONDS = 0 if INSECURE_HTTP else env.int("SECURE_HSTS_SECONDS", default=365 * 24 * 3600)
SECURE_HSTS_INCLUDE_SUBDOMAINS = not INSECURE_HTTP
SECURE_HSTS_PRELOAD = not INSECURE_HTTP
# Proxies whose X-Forwarded-For and X-Forwarded-Proto are accepted: addresses, networks, "unix" (trackerproject/proxies.py).
TRUSTED_PROXIES = env.list("TRUSTED_PROXIES", default=[])
# Accept X-Forwarded-Proto, but no address, from a proxy on this machine. Not needed for one of TRUSTED_PROXIES.
BEHIND_TLS_PROXY = env.bool("BEHIND_TLS_PROXY", default=False)
TLS_PROXIES = [*TRUSTED_PROXIES, *(["127.0.0.0/8", "::1", "unix"] if BEHIND_TLS_PROXY else [])]
DATA_UPLOAD_MAX_MEMORY_SIZE = MAX_BATCH_BYTES
BODY_IDLE_SECONDS = env.float("BODY_IDLE_SECONDS", default=20.0)  # A body that stops coming for so long ends with 408.
# Where security problems are to be reported, as /.well-known/security.txt says (RFC 9116). Without one there is no such page.
SECURITY_CONTACTS = env.list("SECURITY_CONTACTS", default=[])

# --- Health ------------------------------------------------------------------------------------------------------------

# /health answers 503 while the oldest waiting job of a queue that is not paused is older.
HEALTH_MAX_JOB_AGE_SECONDS = env.float("HEALTH_MAX_JOB_AGE_SECONDS", default=1800.0)

# --- REST -------------------------------------------------------------------------------------------------------------

METRICS_PUBLIC = env.bool("METRICS_PUBLIC", default=False)  # to everyone: for a network that only the scraper reaches
REST_KNOX = {
    "TOKEN_TTL": timedelta(days=env.count("API_TOKEN_TTL_DAYS", default=90)),
    "AUTO_REFRESH": False,
    "TOKEN_LIMIT_PER_USER": 20,
}
REST_FRAMEWORK = REST
API_REQUESTS_PER_MINUTE = request_budgets(env)
# The part of its owner's budgets that one token may use, so that a program run wild leaves something to the person.
API_TOKEN_BUDGET_PERCENT = env.count("API_TOKEN_BUDGET_PERCENT", default=80)
SPECTACULAR_SETTINGS = OPENAPI

# --- E-mail -----------------------------------------------------------------------------------------------------------

EMAIL_BACKEND = "notifications_app.channels.smtp_backend.EmailBackend"
EMAIL_HOST = env.str("EMAIL_HOST", default="localhost")
EMAIL_PORT = env.count("EMAIL_PORT", default=25)
EMAIL_HOST_USER = env.str("EMAIL_HOST_USER", default="")
EMAIL_HOST_PASSWORD = env.str("EMAIL_HOST_PASSWORD", default="")
EMAIL_USE_TLS = env.bool("EMAIL_USE_TLS", default=False)
EMAIL_USE_SSL = env.bool("EMAIL_USE_SSL", default=False)
EMAIL_TIMEOUT = env.count("EMAIL_TIMEOUT_SECONDS", default=10)
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="tracker@localhost")
SERVER_EMAIL = DEFAULT_FROM_EMAIL

# --- Maps -------------------------------------------------------------------------------------------------------------

# The address of a tile server, as https://tile.example.org/{z}/{x}/{y}.png; none draws maps without it (docs/map.md).
MAP_TILE_URL = env.str("MAP_TILE_URL", default="")
MAP_TILE_ATTRIBUTION = env.str("MAP_TILE_ATTRIBUTION", default="")
MAP_TILE_MAX_ZOOM = env.int("MAP_TILE_MAX_ZOOM", default=19)

# --- Webhooks, chat, SMS, push ----------------------------------------------------------------------------------------

WEBHOOK_ALLOW_HTTP = env.bool("WEBHOOK_ALLOW_HTTP", default=False)
# Networks of our own that people's destinations may reach all the same, as CIDR: 10.1.2.0/24.
OUTGOING_ALLOWED_NETWORKS = env.list("OUTGOING_ALLOWED_NETWORKS", default=[])
# Tests of channels one person may send in ten minutes.
CHANNEL_TESTS_PER_10_MINUTES = env.int("CHANNEL_TESTS_PER_10_MINUTES", default=10)

# --- Languages, time --------------------------------------------------------------------------------------------------

LANGUAGES = [("en", _("English")), ("pt-br", _("Brazilian Portuguese"))]
LANGUAGE_CODE = env.language("LANGUAGE_CODE", LANGUAGES, default="en")
TIME_ZONE = env.zone("TIME_ZONE", default="UTC")
FORMAT_MODULE_PATH = "trackerproject.formats"

# --- Files ------------------------------------------------------------------------------------------------------------

STATIC_URL = "static/"
# Needs `manage.py collectstatic`; in development only `make run` does so.
HASHED_STATIC = env.bool("HASHED_STATIC", default=not DEBUG)
STATIC_ROOT = Path(env.str("STATIC_ROOT", default=str(BASE_DIR / "staticfiles")))
MEDIA_ROOT = Path(env.str("MEDIA_ROOT", default=str(BASE_DIR / "media")))
MEDIA_URL = "media/"
FILE_UPLOAD_HANDLERS = [
    "tasks_app.web.upload_limit.BoundedUploadHandler",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]
# With a bucket, files live in S3-compatible storage: pip install -r requirements-s3.txt (docs/production.md).
STORAGES = {
    "default": file_storage(
        bucket=env.str("S3_BUCKET", default=""),
        endpoint_url=env.web_address("S3_ENDPOINT_URL", default=""),
        region=env.str("S3_REGION", default=""),
        prefix=env.str("S3_PREFIX", default=""),
    ),
    "staticfiles": static_storage(is_hashed=HASHED_STATIC),
}
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = not HASHED_STATIC
UNFOLD = ADMIN_THEME

# --- Logs and traces --------------------------------------------------------------------------------------------------

TRACING = env.bool("TRACING", default=False)  # wants requirements-otel.txt: docs/metrics.md
LOGGING = logging_config(level=env.str("LOG_LEVEL", default="INFO"), as_json=env.bool("LOG_JSON", default=not DEBUG))
