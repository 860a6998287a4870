"""Hosts that channels call: spelled as their owners registered them, and no others behind a proxy."""

from __future__ import annotations

import json
import socket
import sys
from subprocess import run

import pytest
from django.core import mail
from django.utils import timezone

from notifications_app.models import Delivery, Notification
from notifications_app.services.deliveries.sending import deliver
from notifications_app.services.destinations.store import add_destination, send_test
from tasks_app.admin.accounts.users import PersonForm
from tasks_app.engine import PermanentError
from tests.support.receiver import Receiver, running_receiver


def make_delivery(user, channel: str, destination=None, **values) -> Delivery:
    written = Notification.objects.create(user=user, kind="system", dedupe_key="x", subject="Hello", **values)
    return Delivery.objects.create(notification=written, channel=channel, destination=destination)


@pytest.fixture
def looked_up(monkeypatch) -> list[str]:
    """Names that were asked for; each is this machine."""
    real, names = socket.getaddrinfo, []

    def answer(host, *args, **kwargs):
        if host != "127.0.0.1":
            names.append(host)
        return real("127.0.0.1", *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    return names


@pytest.mark.parametrize(
    ("typed", "host"),
    [("straße.example.org", "xn--strae-oqa.example.org"), ("βόλος.example.org", "xn--nxasmm1c.example.org")],
)
def test_a_webhook_is_looked_up_where_its_owner_registered_it(typed, host, receiver, operator, looked_up):
    hook = add_destination(user=operator, kind="webhook", name="x", url=f"http://{typed}:{receiver.port}/straße?ö=%20ü")
    assert deliver(make_delivery(operator, "webhook", hook).pk, now=timezone.now()) == "sent"
    assert looked_up == [host]
    (got,) = receiver.received
    assert got.headers["Host"] == f"{host}:{receiver.port}"
    assert got.path == "/stra%C3%9Fe?%C3%B6=%20%C3%BC"


def test_plugins_that_open_sockets_themselves_look_up_the_same_name():
    """In a process of its own, as it changes the process."""
    code = (
        "import socket\n"
        "from notifications_app.channels.apprise_child import resolve_by_idna_2008\n"
        "names = []\n"
        "socket.getaddrinfo = lambda host, *a, **k: names.append(host) or []\n"
        "resolve_by_idna_2008()\n"
        "socket.getaddrinfo('straße.example.org', 25)\n"
        "socket.getaddrinfo('plain.example.org', 25)\n"
        "try:\n    socket.getaddrinfo('☃.example.org', 25)\n"
        "except socket.gaierror:\n    names.append('refused')\n"
        "print(names)"
    )
    done = run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['xn--strae-oqa.example.org', 'plain.example.org', 'refused']"


def test_an_email_goes_to_the_domain_its_owner_registered(operator, run_jobs):
    operator.email = "ana@straße.example"
    operator.save()
    send_test(user=operator, kind="email", now=timezone.now())
    run_jobs("notifications")
    (sent,) = mail.outbox
    assert sent.to == ["ana@xn--strae-oqa.example"]
    assert "ana@xn--strae-oqa.example" in sent.message()["To"]


def test_an_email_to_a_domain_that_is_none_fails_for_good(operator):
    with pytest.raises(PermanentError, match="is not an e-mail address"):
        deliver(make_delivery(operator, "email", on_behalf_to="ana@☃.example").pk, now=timezone.now())
    assert mail.outbox == []


@pytest.mark.parametrize(("address", "is_taken"), [("ana@straße.example", True), ("ana@☃.example", False)])
def test_an_account_takes_only_addresses_that_can_be_written_to(address, is_taken, operator):
    form = PersonForm({"username": "ana", "email": address, "date_joined": "2026-01-01"}, instance=operator)
    assert ("email" not in form.errors) is is_taken


@pytest.fixture
def proxy(monkeypatch):
    """An outgoing HTTP proxy on this machine, which would connect to anything."""
    with running_receiver() as running:
        running.answer = Receiver.answer
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{running.port}")
            monkeypatch.setenv(name.lower(), f"http://127.0.0.1:{running.port}")
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        yield running


@pytest.mark.parametrize("kind", ["webhook", "apprise"])
def test_a_proxy_is_no_way_into_a_private_network(kind, proxy, receiver, operator, settings):
    settings.OUTGOING_ALLOWED_NETWORKS = ["127.0.0.1/32"]
    scheme = {"webhook": "http", "apprise": "json"}[kind]
    target = add_destination(user=operator, kind=kind, name="x", url=f"{scheme}://127.0.0.2:{receiver.port}/secret")
    with pytest.raises(PermanentError, match="private network"):
        deliver(make_delivery(operator, kind, target).pk, now=timezone.now())
    assert (proxy.received, receiver.received) == ([], [])


def test_a_chat_service_on_the_internet_is_called_without_the_proxy(proxy, receiver, operator):
    target = add_destination(user=operator, kind="apprise", name="x", url=f"json://127.0.0.1:{receiver.port}/chat")
    assert deliver(make_delivery(operator, "apprise", target, body_text="Hi").pk, now=timezone.now()) == "sent"
    assert [json.loads(got.body)["message"] for got in receiver.received] == ["Hi"]
    assert proxy.received == []
