"""Real servers log no link that opens something by itself."""

from __future__ import annotations

import http.client
import ssl

import pytest

from notifications_app.messages.unsubscribe_links import Subscription, token_of
from reports_app.models import Report
from reports_app.services.files import report_link
from tests.support.cluster import wait_until
from tests.support.nginx import running_nginx
from tests.support.reports import requested_report
from tests.support.web import running_web

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("media")]
BEHIND_NGINX = {"ALLOWED_HOSTS": "127.0.0.1,localhost", "TRUSTED_PROXIES": "127.0.0.1"}


@pytest.fixture
def tokens(device, operator) -> dict[str, str]:
    """Of the addresses of an e-mail."""
    requested_report(device, operator)
    report = report_link(Report.objects.get(), operator).rpartition("/")[2]
    return {"/reports/shared/": report, "/unsubscribe/": token_of(Subscription(operator.pk, 0, "speed"))}


def ask(port: int, path: str, *, tls: bool) -> int:
    kind = http.client.HTTPSConnection if tls else http.client.HTTPConnection
    options = {"context": ssl._create_unverified_context()} if tls else {}
    connection = kind("127.0.0.1", port, timeout=30, **options)
    connection.request("GET", path, headers={"Referer": f"https://127.0.0.1{path}", "X-Forwarded-Proto": "https"})
    response = connection.getresponse()
    response.read()
    connection.close()
    return response.status


def test_neither_the_web_server_nor_nginx_logs_a_token(tokens, tmp_path):
    with (
        running_web(tmp_path, access_log=True, **BEHIND_NGINX) as web,
        running_nginx(tmp_path, int(web.url.rpartition(":")[2])) as tls_port,
    ):
        for path, token in tokens.items():
            assert ask(tls_port, path + token, tls=True) in (200, 409)
            for odd in (f"{path}{token}/", f"{path}/{token}", f"/x{path}{token}?token={token}", f"{path}{token}x"):
                assert ask(tls_port, odd, tls=True) in (301, 308, 404)
                ask(int(web.url.rpartition(":")[2]), odd, tls=False)
        logs = {web.log, tmp_path / "tracker.log", tmp_path / "tracker-error.log", tmp_path / "nginx.log"}
        for log in (web.log, tmp_path / "tracker.log"):
            wait_until(lambda log=log: log.read_text().count("/unsubscribe/***") >= 4, what=log.read_text)
        for log in logs:
            for token in tokens.values():
                assert token not in log.read_text()
                assert token.replace(":", "%3A") not in log.read_text()
