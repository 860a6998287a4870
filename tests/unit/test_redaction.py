"""What is hidden in the job history, and what is not."""

from __future__ import annotations

import time

import pytest

from tasks_app.engine.failures import describe
from tasks_app.engine.redaction import HIDDEN, is_complete, is_secret, redact, redact_call
from tasks_app.engine.text_redaction import hide_values, redact_text, secret_values

SECRET = """pwd passphrase auth bearer session signature access_key phone imei password passwd pass secret token tokens
    authorization Authorization api_key apiKey APIKey X-Api-Key apikey private_key cookie Set-Cookie credential credentials
    accessToken access-token ACCESS_TOKEN refresh_token csrfmiddlewaretoken client_secret dbPassword DB_PASSWORD userPwd
    passphrases passcode auth_header basicAuth.password sessionId sessionid session_key deviceIMEI imeis phoneNumber
    phone_number phones phone2 Telephone msisdn imsi iccid accessKey AccessKeyId secretKey signing_key encryptionKey
    hmac_signature x-signature otp jwt cvv oauth2 OAuthToken bearerToken pin_code mobile_number user.password
    proxy_authorization"""
INNOCENT = """author authors authority authored coauthor session_count sessions_total token_count max_tokens num_sessions
    passenger passengers compass bypass passed passing microphone smartphone saxophone secretary tokenizer keyboard keyword key
    unique_key public_key primary_key cookiecutter assignature design designer signal status address class
    token_expires_at session_timeout_seconds password_changed_at auth_method authMethod phone_model signature_algorithm
    phone_verified id name imeiless author_id position possession obsession sessionless expires has_password"""


@pytest.mark.parametrize("name", SECRET.split())
def test_a_secret_name_is_known_however_it_is_written(name):
    assert is_secret(name)
    assert redact({"a": [{name: "x"}]}) == {"a": [{name: HIDDEN}]}


@pytest.mark.parametrize("name", INNOCENT.split())
def test_an_innocent_name_is_left_alone(name):
    assert redact({name: {name: "x"}}) == {name: {name: "x"}}


def test_a_yes_or_no_or_nothing_is_no_secret():
    assert redact({"auth": True, "token": None, "phone": 5}) == {"auth": True, "token": None, "phone": HIDDEN}


def test_a_secret_given_by_place_is_hidden_as_if_it_were_named():
    shown = redact_call(
        ("user", "password", "credentials"), ["ana", "hunter2", {"pwd": "x", "name": "n"}], {"imei": "1"}
    )
    assert shown == (["ana", HIDDEN, {"pwd": HIDDEN, "name": "n"}], {"imei": HIDDEN})
    assert not is_complete(list(shown))
    assert redact_call((), ["more", "than", "names"], {}) == (["more", "than", "names"], {})


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("login failed password=hunter2 for ana", "login failed password=[hidden] for ana"),
        ("{'access_key': 'AKIA 123', 'x': 1}", "{'access_key': [hidden], 'x': 1}"),
        ('{"imei": 123456789012345, "name": "n"}', '{"imei": [hidden], "name": "n"}'),
        ("Authorization: Bearer abc.def-1", "Authorization: [hidden]"),
        ("got Bearer abcdef123456 back", "got Bearer [hidden] back"),
        ("phone: +55 11 99999-0000 is wrong", "phone: [hidden] is wrong"),
        ("session=8f3ab2; path=/", "session=[hidden]; path=/"),
        ("https://u:pw@h/x?token=abc&a=1", "https://u:[hidden]@h/x?token=[hidden]&a=1"),
        ("sendSms(accessToken='a b', to=1)", "sendSms(accessToken=[hidden], to=1)"),
        ("eyJhbGciOiJI.eyJzdWIi.SflKxwRJ is expired", "[hidden] is expired"),
        ("PWD => x", "PWD => [hidden]"),
        ("session: closed by the server", "session: closed by the server"),
        ("author=ana, session_count=5, compass: north", "author=ana, session_count=5, compass: north"),
        ("the token is gone", "the token is gone"),
        ("if token == 'x'", "if token == 'x'"),
        ("https://example.org:8080/a", "https://example.org:8080/a"),
    ],
)
def test_it_hides_values_that_are_named_in_a_text(text, shown):
    assert redact_text(text) == shown


def test_the_source_lines_of_a_traceback_stay():
    def fail(token: str) -> None:
        raise ValueError(f"token={token}")

    try:
        fail("hunter2")
    except ValueError as error:
        failure = describe(error)
    assert failure.error_message == "token=[hidden]"
    assert "ValueError: token=[hidden]" in failure.traceback
    assert 'raise ValueError(f"token={token}")' in failure.traceback
    assert "hunter2" not in failure.traceback.replace('fail("hunter2")', "")


def test_hidden_arguments_are_hidden_in_what_a_task_says_too():
    values = secret_values(("user", "password"), ["ana", "hunter2"], {"a": [{"pin_code": 12345}], "auth": "abc"})
    assert values == ["hunter2", "12345"]
    assert hide_values("ana: hunter2 (12345) abc", values) == "ana: [hidden] ([hidden]) abc"


@pytest.mark.parametrize("text", ["a" * 20_000, 'token="' * 3000, "token:" * 3000, "://" + "a" * 20_000, "eyJ" * 6000])
def test_it_takes_no_longer_for_texts_that_are_made_to_take_long(text):
    began = time.process_time()
    redact_text(text)
    assert time.process_time() - began < 1
