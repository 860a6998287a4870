"""Fixtures every test level shares: real PostgreSQL, real Redis under a prefix of this run, people and vehicles."""

from __future__ import annotations

import gc
import itertools
import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.db import connection
from django.test import TransactionTestCase
from django.utils import translation
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from rest_framework.test import APIClient

from tasks_app.api.throttling import outage
from tasks_app.engine.config import engine_config
from tasks_app.engine.connection import client
from tasks_app.engine.metrics import forget_counts
from tasks_app.models import Device, Fleet, FleetMembership, FleetRole
from tasks_app.services.partitions import forget_known_partitions
from tests.support.database import empty_tables
from tests.support.mail import MailSink, running_mail_sink
from tests.support.receiver import Receiver, running_receiver
from trackerproject import urls as urls  # The admin's pages are registered with the addresses.
from trackerproject.dev.test_databases import make_template

_numbers = itertools.count(1)


def pytest_configure(config: pytest.Config) -> None:
    """Passwords of tests need no costly hash, an emptied database need not be migrated anew, and no test fails for being slow.

    Drawn examples of one test share its fixtures: those tests clean up themselves.
    """
    # Counts of one test are not sent in another one.
    django_settings.TASK_ENGINE = {**django_settings.TASK_ENGINE, "METRICS_EVERY_SECONDS": 0}
    # Tasks that are declared read the settings already.
    engine_config.cache_clear()
    django_settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    TransactionTestCase._fixture_teardown = lambda self: empty_tables()
    unasked = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
    hypothesis_settings.register_profile("tests", deadline=None, suppress_health_check=unasked)
    hypothesis_settings.load_profile("tests")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Keep the modules and tests that are there now out of garbage collections, which take a tenth of the time otherwise."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 50, 20)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    """With `make test` the test database is a copy of one with all migrations (`trackerproject.dev.test_databases`)."""
    if name := os.environ.get("TEST_DB_TEMPLATE"):
        make_template(os.environ["DATABASE_URL"], name)
        connection.settings_dict["TEST"]["TEMPLATE"] = name


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> None:
    """The first test begins as those after it do: without the schedules that migrations make, which would add jobs."""
    with django_db_blocker.unblock():
        empty_tables()


def _delete_keys(*patterns: str) -> None:
    redis = client()
    for pattern in patterns:
        for key in redis.scan_iter(pattern, count=1000):
            redis.unlink(key)


@pytest.fixture(autouse=True)
def language_of_the_settings() -> Iterator[None]:
    """A request leaves its language behind in the thread, which a server sets anew for the next one."""
    yield
    translation.deactivate()


@pytest.fixture(autouse=True)
def unknown_partitions() -> Iterator[None]:
    """The partitions that a test made are gone with its transaction; the process would take them for there."""
    yield
    forget_known_partitions()


@pytest.fixture(autouse=True)
def clean_redis(request: pytest.FixtureRequest, settings) -> Iterator[None]:
    """Tests outside of tests/unit start and end without keys of this run's prefixes."""
    if "unit" in Path(str(request.node.path)).parts:
        yield
        return
    prefix = engine_config().prefix
    patterns = (f"{{{prefix}:*", f"{prefix}:*", f"{settings.CACHE_KEY_PREFIX}:*")
    _delete_keys(*patterns)
    forget_counts()
    # Of a test that took Redis away: requests are not limited for seconds.
    outage.until = 0.0
    yield
    _delete_keys(*patterns)


@pytest.fixture
def sink(settings) -> Iterator[MailSink]:
    """A real mail server, to which this test's e-mails go."""
    with running_mail_sink() as running:
        settings.EMAIL_BACKEND = "notifications_app.channels.smtp_backend.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", running.port
        settings.EMAIL_HOST_USER, settings.EMAIL_USE_TLS, settings.EMAIL_USE_SSL = "", False, False
        yield running


@pytest.fixture
def receiver(settings) -> Iterator[Receiver]:
    """A real web server, to which this test's webhooks may go."""
    settings.WEBHOOK_ALLOW_HTTP, settings.OUTGOING_ALLOWED_NETWORKS = True, ["127.0.0.0/8"]
    with running_receiver() as running:
        yield running


@pytest.fixture
def make_user(db) -> Callable[..., User]:
    def make(**fields) -> User:
        number = next(_numbers)
        fields = {"username": f"user{number}", "email": f"user{number}@example.org", **fields}
        return User.objects.create_user(password="correct horse battery", **fields)

    return make


@pytest.fixture
def staff(make_user) -> User:
    return make_user(username="staff", is_staff=True, is_superuser=True)


@pytest.fixture
def charlie(make_user) -> User:
    """Charlie is a member of nothing and may see nothing."""
    return make_user(username="charlie")


@pytest.fixture
def fleet(db) -> Fleet:
    return Fleet.objects.create(name="Depot North", time_zone="America/Sao_Paulo", speed_limit_kph=90)


@pytest.fixture
def operator(make_user, fleet) -> User:
    user = make_user(username="ana")
    FleetMembership.objects.create(user=user, fleet=fleet, role=FleetRole.OPERATOR)
    return user


@pytest.fixture
def make_device(fleet) -> Callable[..., Device]:
    def make(**fields) -> Device:
        number = next(_numbers)
        return Device.objects.create(
            **{"fleet": fleet, "unique_id": f"dev-{number}", "name": f"Van {number}", **fields}
        )

    return make


@pytest.fixture
def device(make_device) -> Device:
    return make_device(unique_id="van-1", name="Van 1")


@pytest.fixture
def api(operator) -> APIClient:
    """An API client of Ana, operator of the fleet."""
    api_client = APIClient()
    api_client.force_authenticate(operator)
    return api_client


@pytest.fixture
def staff_api(staff) -> APIClient:
    api_client = APIClient()
    api_client.force_authenticate(staff)
    return api_client


@pytest.fixture
def run_jobs(transactional_db) -> Callable[..., int]:
    """Run every job that is due, here, through the real queue and worker code; return how many attempts ran."""
    from tests.support.jobs import run_pending_jobs

    return run_pending_jobs


@pytest.fixture
def traces_dir(settings) -> Path:
    """The folder of real GPS traces beside the checkout; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("TRACES_DIR", Path(settings.BASE_DIR).parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real traces at {folder} (set TRACES_DIR)")
    return folder


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Escape lone surrogates of captured output, which no process can send to another as UTF-8."""
    report = yield
    report.sections = [(name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections]
    return report
