"""Chat services through Apprise, to real receivers that behave well, badly, or not at all."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from django.utils import timezone

from notifications_app.channels.apprise import calling_nobody
from notifications_app.channels.apprise_child import as_it_stands
from notifications_app.channels.base import DeliveryError
from notifications_app.models import Delivery, Destination, Notification
from notifications_app.services.deliveries.sending import deliver
from notifications_app.services.destinations.store import (
    add_destination,
)
from tasks_app.engine import PermanentError
from tests.support import receiver as answers


def attempt(delivery: Delivery) -> str:
    return deliver(delivery.pk, now=timezone.now())


def log_of(delivery: Delivery) -> list[tuple]:
    return list(delivery.attempts.order_by("number").values_list("number", "outcome", "answer"))


@pytest.fixture
def chat(receiver, operator) -> Delivery:
    url = f"json://127.0.0.1:{receiver.port}/t0ken-of-ana"
    destination = add_destination(user=operator, kind="apprise", name="Chat", url=url)
    written = Notification.objects.create(user=operator, kind="speed", dedupe_key="x", subject="Hello", body_text="Hi")
    return Delivery.objects.create(notification=written, channel="apprise", destination=destination)


def test_a_chat_service_gets_the_message(receiver, chat):
    assert attempt(chat) == "sent"
    (got,) = receiver.received
    content = json.loads(got.body)
    assert (content["title"], content["message"], content["type"]) == ("Hello", "Hi", "failure")
    assert "t0ken" not in Delivery.objects.get().address


@pytest.mark.parametrize(("code", "permanent"), [(500, False), (401, True), (404, True)])
def test_a_chat_service_that_refuses_is_tried_again_unless_it_is_for_good(code, permanent, receiver, chat):
    receiver.answer = answers.status(code)
    with pytest.raises(PermanentError if permanent else DeliveryError, match=f"error={code}"):
        attempt(chat)
    assert Destination.objects.get().is_enabled is not permanent
    assert "t0ken" not in json.dumps(log_of(chat))


def test_a_chat_message_says_its_title_once(receiver, chat):
    Notification.objects.update(subject="@all left Depot", body_text="@all left Depot\n\nFleet: North\n")
    attempt(chat)
    content = json.loads(receiver.received[0].body)
    assert (content["title"], content["message"]) == ("@\u2060all left Depot", "Fleet: North")


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("Van @everyone", "Van @\u2060everyone"),
        ("@HERE <@42> <@&7>", "@\u2060HERE <@\u206042> <@\u2060&7>"),
        ("ana@all.example.org @hereford", "ana@all.example.org @hereford"),
    ],
)
def test_a_name_calls_nobody_in_a_chat(text, sent):
    assert calling_nobody(text) == sent


@pytest.mark.parametrize(
    ("url", "text", "sent"),
    [
        (
            "discord://token/chat",
            "Van_1 *is* [away](https://a.example/x_y)",
            r"Van\_1 \*is\* \[away\](https://a.example/x_y)",
        ),
        ("MMOSTS://token/chat", "# Van\n> `1`", "\\# Van\n\\> \\`1\\`"),
        ("nctalks://ana:secret@cloud.example.org/room", "Van_1", r"Van\_1"),
        ("tgram://token/chat", "Van_1 *is*", "Van_1 *is*"),
        # Apprise itself puts the backslashes: two of them would be shown.
        ("discord://token/chat?format=markdown", "Van_1", "Van_1"),
    ],
)
def test_marks_in_a_name_stand_as_they_are_where_the_service_reads_markdown(url, text, sent):
    assert as_it_stands(url, text) == sent


@pytest.mark.parametrize(("query", "messages"), [("", 3), ("?overflow=upstream", 1)])
def test_a_text_that_is_too_long_for_the_service_goes_in_pieces_unless_its_owner_says_otherwise(
    query, messages, receiver, chat
):
    receiver.answer = lambda handler: answers.plain(handler, 200, b'{"result": [{"status": "ok"}]}')
    chat.destination.secrets = {"url": f"smseagle://t0ken-of-ana@127.0.0.1:{receiver.port}/15551231234{query}"}
    chat.destination.save()
    words = [f"word{number}" for number in range(200)]
    Notification.objects.update(body_text=" ".join(words))
    assert attempt(chat) == "sent"
    pieces = [json.loads(one.body)["params"]["message"] for one in receiver.received]
    assert len(pieces) == messages
    assert " ".join(pieces).split() == ["Hello", *words]
    assert all(len(piece) <= 1200 for piece in pieces) or query


def test_what_one_recipient_got_is_not_sent_to_them_again(receiver, chat):
    """Of two numbers the second is refused for ever, and asked once more."""

    def answer(handler) -> None:
        code = 500 if b"15551231235" in receiver.received[-1].body else 200
        answers.plain(handler, code, b'{"result": [{"status": "ok"}]}')

    receiver.answer = answer
    numbers = "15551231234/15551231235"
    chat.destination.secrets = {"url": f"smseagle://t0ken-of-ana@127.0.0.1:{receiver.port}/{numbers}"}
    chat.destination.save()
    with pytest.raises(PermanentError, match="Only a part of it arrived"):
        attempt(chat)
    called = [json.loads(one.body)["params"]["to"] for one in receiver.received]
    assert called == ["15551231234", "15551231235", "15551231235"]
    assert Destination.objects.get().is_enabled


def test_a_long_text_by_sms_costs_few_messages():
    """In a process of its own, as plugins are loaded."""
    code = (
        "from notifications_app.channels.apprise_child import fitted, instantiate\n"
        f"url = 'twilio://AC{'a' * 32}:{'b' * 32}@15551231234/15551231235'\n"
        "print([len(fitted(instantiate(url), 'x' * length)) for length in (480, 900)])"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[480, 480]"


def test_a_chat_service_in_a_private_network_is_refused_by_its_address(receiver, chat, settings):
    settings.OUTGOING_ALLOWED_NETWORKS = []
    with pytest.raises(PermanentError, match="private network"):
        attempt(chat)
    assert receiver.received == []


def test_a_redirect_of_a_chat_service_into_a_private_network_is_refused(receiver, chat, settings):
    """Plugins follow redirects; the guard sees every connection they make."""
    settings.OUTGOING_ALLOWED_NETWORKS = ["127.0.0.1/32"]
    receiver.answer = answers.status(307, Location=f"http://127.0.0.2:{receiver.port}/")
    with pytest.raises(PermanentError, match="private network"):
        attempt(chat)
    assert len(receiver.received) == 1


def test_a_chat_service_that_hangs_is_killed(receiver, chat, monkeypatch):
    from notifications_app.channels import apprise

    receiver.answer = answers.hang(receiver)
    monkeypatch.setattr(apprise, "TOTAL_SECONDS", 1.5)
    with pytest.raises(DeliveryError, match="did not answer in time") as caught:
        attempt(chat)
    assert not caught.value.permanent
