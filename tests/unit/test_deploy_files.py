"""The files in deploy/ agree with the settings, the queues and each other."""

from __future__ import annotations

import inspect
import json
import re
import runpy
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings
from django.test import RequestFactory
from uvicorn import Config

from tasks_app.ingest.trackers.registry import PROTOCOLS
from trackerproject.environment import entries

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
# Of the servers, not of ours.
OF_SERVERS = {"POSTGRES_PASSWORD", "VALKEY_PASSWORD"}


def documented_variables() -> set[str]:
    return set(re.findall(r"^#? ?([A-Z][A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))


def test_each_queue_has_one_cluster_that_is_asked_for_its_health():
    clusters = {name: one for name, one in SERVICES.items() if "qcluster" in one.get("command", ())}
    assert set(clusters) == set(settings.QUEUES)
    for name, cluster in clusters.items():
        assert cluster["command"][-2:] == ["--name", name]
        assert cluster["healthcheck"]["test"][-2:] == ["qhealth", name]
        grace = int(cluster["stop_grace_period"].removesuffix("s"))
        assert grace > settings.TASK_ENGINE["GRACE_SECONDS"]


def test_the_gateway_has_the_ports_of_all_protocols_and_time_to_end():
    gateway = SERVICES["gateway"]
    assert gateway["command"] == ["python", "manage.py", "gateway"]
    assert gateway["healthcheck"]["test"][-2:] == ["gateway", "--health"]
    assert int(gateway["stop_grace_period"].removesuffix("s")) > settings.GATEWAY["GRACE_SECONDS"]
    open_by_tcp = {int(one.partition(":")[0]) for one in gateway["ports"] if not one.endswith("/udp")}
    open_by_udp = {int(one.partition(":")[0]) for one in gateway["ports"] if one.endswith("/udp")}
    assert open_by_tcp >= {one.port for one in PROTOCOLS.values() if one.has_tcp}
    assert open_by_udp >= {one.port for one in PROTOCOLS.values() if one.has_udp}
    unit = (DEPLOY / "systemd" / "tracker-gateway.service").read_text()
    (timeout,) = re.findall(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)
    assert int(timeout) > settings.GATEWAY["GRACE_SECONDS"]


@pytest.mark.parametrize("name", PROTOCOLS)
def test_the_port_of_each_protocol_is_documented(name):
    assert f"GATEWAY_{name.upper()}_PORT={PROTOCOLS[name].port}\n" in (ROOT / ".env.example").read_text()


def test_what_the_settings_are_given_is_what_they_read():
    given = set(re.findall(r"^#? ?([A-Z][A-Z0-9_]+)=", (DEPLOY / "tracker.env.example").read_text(), re.MULTILINE))
    given |= set(SERVICES["web"]["environment"])
    assert given - OF_SERVERS <= documented_variables()


def test_the_proxy_alone_is_trusted_and_leads_to_both_web_services():
    proxy = SERVICES["nginx"]["networks"]["default"]["ipv4_address"]
    web = [SERVICES[name] for name in ("web", "web2")]
    upstream = (DEPLOY / "nginx" / "upstream-compose.conf").read_text()
    for one in web:
        assert one["environment"]["TRUSTED_PROXIES"] == proxy
        assert f"server {one['networks']['default']['ipv4_address']}:8000 " in upstream
    assert "ports" not in SERVICES["postgres"] | SERVICES["valkey"] | SERVICES["web"]


@pytest.mark.parametrize("name", ["upstream.conf", "upstream-compose.conf"])
def test_nginx_closes_idle_connections_before_the_web_service_does(name):
    """Of POSTs on connections that had been idle for 5 s, one in seventeen was answered with 502."""
    (seconds,) = re.findall(r" keepalive_timeout (\d+)s;", (DEPLOY / "nginx" / name).read_text())
    assert int(seconds) < inspect.signature(Config).parameters["timeout_keep_alive"].default
    commands = [DEPLOY / "Dockerfile", DEPLOY / "systemd" / "tracker-web.service"]
    assert not any("--timeout-keep-alive" in path.read_text() for path in commands)


def test_units_end_before_their_servers_and_a_cluster_outlives_a_worker_without_memory():
    for unit in (DEPLOY / "systemd").iterdir():
        (after,) = re.findall(r"^After=(.*)$", unit.read_text(), re.MULTILINE)
        assert {"postgresql.service", "valkey-server.service", "redis-server.service"} <= set(after.split())
    assert "\nOOMPolicy=continue\n" in (DEPLOY / "systemd" / "tracker-qcluster@.service").read_text()


def test_servers_in_containers_have_time_to_end_and_are_not_root():
    assert SERVICES["postgres"]["stop_grace_period"] == "2m"
    assert "exec docker-entrypoint.sh valkey-server " in SERVICES["valkey"]["command"][-1]


def test_images_are_of_a_version():
    images = {one["image"] for one in SERVICES.values() if "build" not in one}
    images |= set(re.findall(r"^FROM (\S+)", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE))
    assert all(re.search(r":\d", image) for image in images), images


def test_our_containers_have_no_rights_and_nothing_to_write_but_reports():
    ours = [one for one in SERVICES.values() if "build" in one]
    assert len(ours) == 4 + len(settings.QUEUES)
    for one in ours:
        assert one["read_only"] is True
        assert one["cap_drop"] == ["ALL"]
        assert one["volumes"] == ["media:/srv/media"]
    assert re.search(r"^USER 10001$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("hosts", ["tracker.example.org", ".example.org", " one.example, two.example", "*"])
def test_the_image_asks_for_its_health_by_a_name_that_it_answers_to(hosts, monkeypatch, settings, tmp_path):
    """With * it was unhealthy for ever, and nginx did not start."""
    (command,) = re.findall(r'^    CMD (\["python", .*\])$', (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    asked: list[Any] = []
    monkeypatch.setattr("urllib.request.urlopen", lambda request, **_: asked.append(request))
    monkeypatch.setenv("ALLOWED_HOSTS", hosts)
    (tmp_path / "probe.py").write_text(json.loads(command)[2])
    runpy.run_path(str(tmp_path / "probe.py"))
    (request,) = asked
    settings.DEBUG, settings.ALLOWED_HOSTS = False, entries(hosts)
    given = RequestFactory().get("/health/ready", headers={"host": request.get_header("Host")})
    assert given.get_host() in ("tracker.example.org", "example.org", "one.example", "localhost")


def test_the_image_takes_every_package_and_nothing_else():
    copied = set(re.findall(r"^COPY (\w+) \w+$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE))
    assert copied == {"trackerproject", "tasks_app", "reports_app", "notifications_app", "templates"}
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    assert ignored[1] == "*"
    assert {line.removeprefix("!") for line in ignored if line.startswith("!")} >= copied


def test_nginx_leads_to_no_host_that_a_client_names():
    site = (ROOT / "deploy/nginx/tracker.conf").read_text()
    assert re.findall(r"return 30\d (\S+);", site) == ["https://$server_name$request_uri"]


def test_body_limits_of_nginx_are_those_of_the_settings():
    site = (DEPLOY / "nginx" / "tracker.conf").read_text()
    (megabytes,) = re.findall(r"client_max_body_size (\d+)m;", site)
    assert int(megabytes) * 1024 * 1024 == settings.MAX_UPLOAD_BYTES


@pytest.mark.parametrize("directive", ["appendonly yes", "appendfsync everysec", "maxmemory-policy noeviction"])
def test_the_server_of_the_queues_keeps_what_it_accepted(directive):
    assert directive in (DEPLOY / "valkey" / "valkey.conf").read_text().splitlines()


def test_users_of_the_server_reach_the_keys_of_the_settings():
    rules = (DEPLOY / "valkey" / "users.acl").read_text()
    prefix = settings.Q_CLUSTER["name"].partition("-test")[0]
    assert "~tq:*" in rules
    assert "~{tq:*" in rules
    assert prefix
    assert "~tracker-cache:*" in rules
    assert re.search(r"^user default off .*\+@all$", rules, re.MULTILINE)
