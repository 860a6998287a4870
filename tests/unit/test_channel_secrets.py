"""Signatures that a receiver can check, secrets that nobody reads, texts without them."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest

from notifications_app.channels.apprise import redacted
from notifications_app.channels.base import DeliveryError
from notifications_app.channels.webhook import judged, new_signing_secret, signature_headers
from notifications_app.models import encryption
from tasks_app.utils.outgoing_http import Answer


def test_a_receiver_can_check_a_signature_as_standard_webhooks_describes():
    # The example of the specification's reference libraries.
    headers = signature_headers(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
    )
    assert headers == {
        "Webhook-Id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "Webhook-Timestamp": "1614265330",
        "Webhook-Signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_every_part_of_a_message_is_signed():
    secret = new_signing_secret()
    one = signature_headers(secret, "a", 1, b"x")["Webhook-Signature"]
    others = [("b", 1, b"x"), ("a", 2, b"x"), ("a", 1, b"y")]
    assert all(signature_headers(secret, *other)["Webhook-Signature"] != one for other in others)
    assert signature_headers(new_signing_secret(), "a", 1, b"x")["Webhook-Signature"] != one
    key = base64.b64decode(secret.removeprefix("whsec_"))
    assert len(key) == 32
    assert one == "v1," + base64.b64encode(hmac.new(key, b"a.1.x", hashlib.sha256).digest()).decode()


def test_a_secret_is_readable_with_a_former_key_until_it_is_dropped(settings):
    settings.ENCRYPTION_KEYS = ["old"]
    stored = encryption.encrypt({"url": "tgram://secret"})
    assert "secret" not in stored
    settings.ENCRYPTION_KEYS = ["new", "old"]
    assert encryption.decrypt(stored) == {"url": "tgram://secret"}
    renewed = encryption.reencrypt(stored)
    settings.ENCRYPTION_KEYS = ["new"]
    assert encryption.decrypt(renewed) == {"url": "tgram://secret"}
    with pytest.raises(encryption.Unreadable):
        encryption.decrypt(stored)
    with pytest.raises(encryption.Unreadable):
        encryption.reencrypt(stored)


@pytest.mark.parametrize(
    ("status", "permanent", "disables"),
    [
        (301, True, True), (302, True, True), (307, True, True),  # redirects are never followed
        (400, True, False), (413, True, False), (422, True, False),  # this one message
        (401, True, True), (403, True, True), (404, True, True), (410, True, True),  # the address
        (408, False, False), (425, False, False), (429, False, False),  # later
        (500, False, False), (502, False, False), (503, False, False), (599, False, False), (199, False, False),
    ],
)  # fmt: skip
def test_it_tells_refusals_for_good_from_those_for_now(status, permanent, disables):
    with pytest.raises(DeliveryError) as caught:
        judged(Answer(status, b"no"))
    assert (caught.value.permanent, caught.value.disables) == (permanent, disables)


def test_it_keeps_only_the_beginning_of_an_answer_on_one_line():
    words = judged(Answer(200, b"ok\r\nX: y\x00" + b"z" * 5000))
    assert words.startswith("200 ok X: y ")
    assert len(words) <= 210


def test_it_hides_every_secret_part_of_an_address():
    url = "tgram://123456789:AbCdEf_gh-ij/12315544/?image=no"
    text = "error=401 for 123456789 at /botx123456789:AbCdEf_gh-ij/send\nto 12315544"
    shown = redacted(text, url)
    assert shown == "error=401 for *** at /botx***:***/send to ***"
