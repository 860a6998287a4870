"""The system checks name what would be silently ignored."""

from __future__ import annotations

import pytest
from django.core.management.base import SystemCheckError

from tasks_app.checks import (
    check_cluster_options,
    check_command_ways,
    check_mail,
    check_networks_and_hours,
    check_proxies,
    check_queues,
)
from trackerproject.web import settle


def test_the_projects_own_settings_pass():
    assert check_cluster_options() == []
    assert check_queues() == []


def test_an_option_without_meaning_is_refused_with_a_hint(settings):
    settings.Q_CLUSTER = {**settings.Q_CLUSTER, "save_limit": 0, "nonsense": 1}
    errors = check_cluster_options()
    assert [error.id for error in errors] == ["tasks_app.E001"] * 2
    assert "'save_limit'" in errors[0].msg
    assert "cleanup_job_history" in errors[0].hint


def test_an_option_without_meaning_is_found_in_a_queue_too(settings):
    alternatives = {**settings.Q_CLUSTER["ALT_CLUSTERS"], "reports": {"timeout": 1, "recycle": 5}}
    settings.Q_CLUSTER = {**settings.Q_CLUSTER, "ALT_CLUSTERS": alternatives}
    (error,) = check_cluster_options()
    assert "['reports']['recycle']" in error.msg


def test_queues_and_clusters_must_agree(settings):
    settings.QUEUES = ("positions",)
    assert [error.id for error in check_queues()] == ["tasks_app.E002"]


@pytest.mark.parametrize(
    ("setting", "value", "texts"),
    [
        ("TRUSTED_PROXIES", ["127.0.0.1", "10.0.0.0/8", "unix"], []),
        ("TRUSTED_PROXIES", ["proxy.internal"], ["TRUSTED_PROXIES: 'proxy.internal' is no address or network."]),
        ("OUTGOING_ALLOWED_NETWORKS", ["10.1.2.0/24", ""], []),
        (
            "OUTGOING_ALLOWED_NETWORKS",
            ["10.1.2.3/24"],
            ["OUTGOING_ALLOWED_NETWORKS: '10.1.2.3/24' is no address or network."],
        ),
        ("OUTGOING_ALLOWED_NETWORKS", ["unix"], ["OUTGOING_ALLOWED_NETWORKS: 'unix' is no address or network."]),
        ("SECURITY_CONTACTS", ["mailto:security@example.org", " https://example.org/security"], []),
        ("SECURITY_CONTACTS", ["a@b.org"], ["SECURITY_CONTACTS: 'a@b.org' begins with no mailto:, https: or tel:."]),
        ("BUSINESS_HOURS", "", []),
        ("BUSINESS_HOURS", "7-19", ["BUSINESS_HOURS: Write business hours as 07:00-19:00."]),
    ],
)
def test_networks_contacts_and_hours_that_cannot_be_read_are_refused(settings, setting, value, texts):
    setattr(settings, setting, value)
    assert [error.msg for error in check_networks_and_hours()] == texts


def test_a_trusted_proxy_that_is_everybody_is_noticed(settings):
    settings.TRUSTED_PROXIES, settings.BEHIND_TLS_PROXY = ["10.0.0.1", "0.0.0.0/0"], False
    assert [warning.id for warning in check_proxies()] == ["tasks_app.W006"]


def test_a_proxy_that_tells_the_scheme_alone_is_noticed(settings):
    settings.TRUSTED_PROXIES, settings.BEHIND_TLS_PROXY = [], True
    assert [warning.id for warning in check_proxies()] == ["tasks_app.W007"]
    settings.TRUSTED_PROXIES = ["127.0.0.1"]
    assert check_proxies() == []


@pytest.mark.parametrize(
    ("setting", "changes", "ids"),
    [
        ("TRACCAR_SERVER", {"URL": "http://10.0.0.5:8082", "TOKEN": "x"}, []),
        ("TRACCAR_SERVER", {"URL": "http://10.0.0.5:8082"}, ["tasks_app.E010"]),
        ("TRACCAR_SERVER", {"URL": "10.0.0.5:8082", "TOKEN": "x"}, ["tasks_app.E010"]),
        ("SMS", {"URL": "https://sms.example.net/{phone}?t={text}"}, []),
        ("SMS", {"URL": "https://{phone}.example.net/"}, ["tasks_app.E010"]),
        ("SMS", {"METHOD": "DELETE"}, ["tasks_app.E010"]),
        ("SMS", {"HEADERS": ["Authorization"]}, ["tasks_app.E010"]),
        ("SMS", {"PASSWORDS": {"coban": 123456}}, ["tasks_app.E010"]),
        ("SMS", {"RECEIPT_SECRET": "short"}, ["tasks_app.W009"]),
    ],
)
def test_settings_by_which_no_command_could_be_sent_are_refused(setting, changes, ids, settings):
    setattr(settings, setting, {**getattr(settings, setting), **changes})
    assert [one.id for one in check_command_ways()] == ids


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ({"DEFAULT_FROM_EMAIL": "Fleet <fleet@example.org>", "EMAIL_USE_SSL": True}, []),
        ({"DEFAULT_FROM_EMAIL": "fleet"}, ["DEFAULT_FROM_EMAIL: 'fleet' is no address."]),
        ({"EMAIL_USE_TLS": True, "EMAIL_USE_SSL": True}, ["EMAIL_USE_TLS and EMAIL_USE_SSL exclude each other."]),
    ],
)
def test_settings_by_which_no_mail_could_be_sent_are_refused(settings, values, texts):
    for name, value in values.items():
        setattr(settings, name, value)
    assert [error.msg for error in check_mail()] == texts


def test_a_web_process_starts_with_no_setting_that_would_be_ignored(settings):
    """It ran without a word, where a cluster did not."""
    settings.INGEST_OSMAND_SPEED_UNIT = "furlongs"
    with pytest.raises(SystemCheckError, match="INGEST_OSMAND_SPEED_UNIT must be one of knots"):
        settle()
