"""Commands by SMS: what the provider is asked, and what its receipts make of them."""

from __future__ import annotations

import json

import pytest
from django.test import Client

from tasks_app.models import AuditEntry, Command, CommandAttempt, DeviceAccess
from tasks_app.services.commands import CommandRefused
from tests.support import receiver as answers
from tests.support.sent_commands import ask_for, attempts_of, give_access, send_now, stand_still, state_of

pytestmark = pytest.mark.django_db
RECEIPTS = "/ingest/sms-receipts"
PHONE = "+5511999990000"


@pytest.fixture
def reachable(device, sms_settings):
    """The device, which is reached by SMS."""
    give_access(device, ways=["sms"], protocol="coban", phone_number=PHONE)
    return device


def report(secret: str = "the-provider-s-own-secret-0123", **values) -> tuple[int, dict]:
    answer = Client().post(
        RECEIPTS, json.dumps(values), content_type="application/json", headers={"Authorization": f"Bearer {secret}"}
    )
    return answer.status_code, answer.json()


def test_the_provider_is_asked_for_one_message_that_holds_until_the_command_expires(reachable, receiver, staff):
    stand_still(reachable)
    command = ask_for(reachable, staff, "engine_stop", expires_in_seconds=120)
    assert send_now(reachable)["way"] == "sms"
    [received] = receiver.received
    body = json.loads(received.body)
    assert (body["to"], body["text"]) == (PHONE, "stop123456")
    assert body["ref"] == CommandAttempt.objects.get().token
    assert 100 < body["ttl"] <= 120
    assert received.headers["Authorization"] == "Bearer of-the-provider"
    assert received.headers["Content-Type"] == "application/json"
    assert state_of(command) == "sent"


def test_number_and_password_stand_in_no_list_and_no_entry_of_the_audit(reachable, sms_settings, receiver, staff):
    sms_settings["PASSWORDS"] = {"coban": "s3cr3t"}
    receiver.answer = lambda handler: answers.plain(handler, 400, f"{PHONE} cannot be reached: arms3cr3t".encode())
    command = ask_for(reachable, staff, "arm")
    send_now(reachable)
    receiver.answer = lambda handler: answers.plain(handler, 201, b"{}")
    send_now(reachable)
    assert state_of(command) == "sent"
    attempts = list(CommandAttempt.objects.order_by("number").values("address", "data", "text", "error"))
    assert [one["address"] for one in attempts] == ["+55…000"] * 2
    assert "+55…000 cannot be reached: arm…" in attempts[0]["error"]
    shown = repr(attempts) + repr(list(AuditEntry.objects.values()))
    assert json.loads(receiver.received[-1].body)["text"] == "arms3cr3t"
    assert [text for text in ("99999", "s3cr3t") if text in shown] == []


def test_the_device_s_own_password_and_relay_go_before_those_of_its_protocol(reachable, sms_settings, receiver, staff):
    sms_settings["PASSWORDS"] = {"coban": "s3cr3t", "gt06": "s3cr3t"}
    access = DeviceAccess.objects.get(device=reachable)
    access.password = "0wn-one"
    access.save()
    ask_for(reachable, staff, "arm")
    send_now(reachable)
    DeviceAccess.objects.update(protocol="gt06", relay_variant="dyd_password")
    Command.objects.update(state="done")
    stand_still(reachable)
    ask_for(reachable, staff, "engine_stop")
    send_now(reachable)
    assert [json.loads(one.body)["text"] for one in receiver.received] == ["arm0wn-one", "DYD,0wn-one#"]
    assert "0wn-one" not in repr([*CommandAttempt.objects.values(), *AuditEntry.objects.values()])
    Command.objects.update(state="done")
    command = ask_for(reachable, staff, "engine_resume")
    DeviceAccess.objects.update(encrypted_password="of-another-key")
    with pytest.raises(CommandRefused, match="enter it again"):
        ask_for(reachable, staff, "engine_resume")
    send_now(reachable)
    assert len(receiver.received) == 2
    assert state_of(command) == "failed"
    assert "enter it again" in command.state_reason


BAD_ANSWERS = {
    "refuses": (lambda r: answers.status(401), "not_written"),
    "redirects": (lambda r: answers.status(302), "not_written"),
    "fails": (lambda r: answers.status(503), "unknown"),
    "hangs up": (lambda r: answers.hang_up, "unknown"),
    "talks nonsense": (lambda r: answers.gibberish, "unknown"),
}


@pytest.mark.parametrize("case", BAD_ANSWERS)
def test_only_what_the_provider_refused_was_not_sent(case, reachable, receiver, staff):
    make_answer, code = BAD_ANSWERS[case]
    receiver.answer = make_answer(receiver)
    stand_still(reachable)
    command = ask_for(reachable, staff, "engine_stop")
    send_now(reachable)
    assert attempts_of(command)[0][1].partition(":")[0] == code
    assert state_of(command) == ("queued" if code == "not_written" else "unconfirmed")


def cut_off(handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "500")
    handler.end_headers()
    handler.wfile.write(b'{"messages": [')
    handler.close_connection = True


def test_an_answer_that_is_cut_off_says_nothing_of_a_refusal(reachable, sms_settings, receiver, staff):
    """The provider may have taken the message: a vehicle is not stopped a second time."""
    sms_settings["ACCEPTED"] = '"status": "0"'
    receiver.answer = cut_off
    stand_still(reachable)
    command = ask_for(reachable, staff, "engine_stop")
    send_now(reachable)
    assert state_of(command) == "unconfirmed"
    assert len(receiver.received) == 1


# --- Receipts ---


@pytest.fixture
def sent(reachable, staff):
    """A command that was sent by SMS."""
    command = ask_for(reachable, staff, "arm")
    send_now(reachable)
    assert state_of(command) == "sent"
    return command


def reference_of(command) -> str:
    return command.attempts.get().token


def test_a_delivered_message_acknowledges_its_command_and_no_more(sent):
    for recorded in (1, 0):
        outcome = report(reference=reference_of(sent), status="delivered")
        assert outcome == (200, {"received": 1, "recorded": recorded})
    assert (state_of(sent), sent.state_reason, sent.attempts.get().answer) == ("acknowledged", "delivered", "delivered")


def test_a_message_that_will_not_arrive_fails_its_command(sent):
    report(reference=reference_of(sent), status="UNDELIVERED")
    assert (state_of(sent), sent.state_reason) == ("failed", "not_delivered: UNDELIVERED")


def test_an_expired_message_of_an_unconfirmed_command_says_that_it_failed(sent):
    sent.state = "unconfirmed"
    sent.save()
    report(reference=reference_of(sent), status="expired")
    assert state_of(sent) == "failed"


@pytest.mark.parametrize(
    "values",
    [{"reference": "1-1", "status": "delivered"}, {"reference": "", "status": "delivered"}, {"status": 5}, {}],
)
def test_a_receipt_of_nothing_is_answered_200_and_changes_nothing(values, sent):
    assert report(**values) == (200, {"received": 1, "recorded": 0})
    assert state_of(sent) == "sent"


def test_a_receipt_comes_as_query_form_list_and_with_the_secret_in_its_address(sent, sms_settings):
    path = f"{RECEIPTS}/{sms_settings['RECEIPT_SECRET']}"
    on_the_way = {"reference": reference_of(sent), "status": "buffered"}
    assert Client().get(path, on_the_way).json() == {"received": 1, "recorded": 0}
    assert Client().post(path, on_the_way).json() == {"received": 1, "recorded": 0}
    final = [on_the_way, {**on_the_way, "status": "delivered"}]
    answer = Client().post(path, json.dumps(final), content_type="application/json")
    assert answer.json() == {"received": 2, "recorded": 1}


@pytest.mark.parametrize("body", [b"{", b"\xff", b'"x"', b"7", b"null", b"[[]]"])
def test_a_bad_receipt_is_no_500(body, sms_settings, db):
    path = f"{RECEIPTS}/{sms_settings['RECEIPT_SECRET']}"
    assert Client().post(path, body, content_type="application/json").status_code in (200, 400)
    assert Client().post(path, body, content_type="application/x-www-form-urlencoded").status_code in (200, 400)


@pytest.mark.parametrize("secret", ["", "wrong", "the-provider-s-own-secret-012", "é"])
def test_a_receipt_without_the_secret_is_refused(secret, sent):
    assert report(secret.encode().decode("latin-1"), reference=reference_of(sent), status="delivered")[0] == 401
    assert Client().get(f"{RECEIPTS}/{secret or 'x'}", {"reference": reference_of(sent)}).status_code == 401
    assert state_of(sent) == "sent"


def test_without_a_secret_in_the_settings_every_receipt_is_refused(sms_settings, sent):
    sms_settings["RECEIPT_SECRET"] = ""
    assert report("", reference=reference_of(sent), status="delivered")[0] == 403
