"""Texts that are hidden in the job history, and texts that are not."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

import pytest

from tasks_app.engine.context import CurrentJob
from tasks_app.engine.failures import describe
from tasks_app.engine.redaction import (
    HIDDEN,
    hide_values,
    is_complete,
    is_secret,
    redact,
    redact_call,
    redact_text,
    redact_traceback,
    secret_values,
    texts,
)
from tasks_app.engine.storable import storable_text

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


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("TOKEN is abc", "TOKEN is [hidden]"),
        ("password 'x'", "password [hidden]"),
        ("cmd --password x --name n", "cmd --password [hidden] --name n"),
        ("cmd --password=x --name n", "cmd --password=[hidden] --name n"),
        ("password=x", "password=[hidden]"),
        ("Authorization: Bearer x", "Authorization: [hidden]"),
        ("Authorization: Basic dXNlcjpwYXNz", "Authorization: [hidden]"),
        ('Authorization: Digest username="ana", response="abc123" then', "Authorization: [hidden] then"),
        ("Authorization: Custom abcdef", "Authorization: [hidden]"),
        ("phone +49 170 1234567", "phone [hidden]"),
        ("imei 356938035643809", "imei [hidden]"),
        ("pwd hunter2", "pwd [hidden]"),
        ("pwd=hunter2", "pwd=[hidden]"),
        ("passphrase is swordfish", "passphrase is [hidden]"),
        ('the passphrase "correct horse"', "the passphrase [hidden]"),
        ("auth 8f3ab2c", "auth [hidden]"),
        ("session 8f3ab2c9", "session [hidden]"),
        ("signature abcdef0123", "signature [hidden]"),
        ("access_key AKIA1234", "access_key [hidden]"),
        ("access key AKIA1234", "access key [hidden]"),
        ("API key: abc", "API key: [hidden]"),
        ("postgres://ana:p@ss@h/x", "postgres://ana:[hidden]@h/x"),
        ("redis://:pw@h:1/0", "redis://:[hidden]@h:1/0"),
        ("https://u@h/a?key=abc&a=1", "https://u@h/a?key=[hidden]&a=1"),
        ("https://h/a?sig=abc%2B&a=1&session=1", "https://h/a?sig=[hidden]&a=1&session=[hidden]"),
        ("https://h/a?X-Amz-Signature=abc&y=2", "https://h/a?X-Amz-Signature=[hidden]&y=2"),
        (r"{\"password\": \"x y\", \"a\": 1}", r"{\"password\": [hidden], \"a\": 1}"),
        (r'{"password": "a\"b", "x": 1}', '{"password": [hidden], "x": 1}'),
        ("password%3Dhunter2", "password%3D[hidden]"),
        ("password=a,b;c", "password=[hidden]"),
        ("user=ana,password=a,host=h", "user=ana,password=[hidden],host=h"),
        ("pwd=abc;Server=x", "pwd=[hidden];Server=x"),
        ("connect(user='ana', password='x')", "connect(user='ana', password=[hidden])"),
        ('password: "x" was refused', "password: [hidden] was refused"),
        ("my password was hunter2.", "my password was [hidden]."),
        ("the password for ana is hunter2", "the password for ana is [hidden]"),
        ("jwt-eyJhbGciOiJI.eyJzdWIi.SflKxwRJ is expired", "jwt-[hidden] is expired"),
        ("senha=abc", "senha=[hidden]"),
        ("token abc123 is gone", "token [hidden] is gone"),
        ("reset password to hunter2", "reset password to [hidden]"),
        ("got bearer abcdef123456 back", "got bearer [hidden] back"),
        ("params['token'] = 'abc'", "params['token'] = [hidden]"),
        ("call phone (011) 99999-0000 now", "call phone [hidden] now"),
        ("Set-Cookie: sessionid=abc; Path=/", "Set-Cookie: [hidden]; Path=/"),
        ("imei is 356938035643809", "imei is [hidden]"),
        ("password: hunter", "password: [hidden]"),
        ("IMEI:356938035643809", "IMEI:[hidden]"),
        ("passwd x1y2", "passwd [hidden]"),
    ],
)
def test_it_hides_values_however_people_and_programs_write_them(text, shown):
    assert redact_text(text) == shown
    assert redact_text(f"It said: {text}") == f"It said: {shown}"


@pytest.mark.parametrize(
    "text",
    [
        "author is ana",
        "session expired",
        "password is required",
        "token expired",
        "the token is gone",
        "token is invalid",
        "if token == 'x'",
        "https://example.org:8080/a",
        "session: closed by the server",
        "author=ana, session_count=5, compass: north",
        "--password is required",
        "argument --token: expected one argument",
        "password: required",
        "session 5 of 7",
        "phone is busy",
        "auth failed after 200ms",
        "session 10ms",
        "the session is closed",
        "password must have 8 characters",
        "token 3 of 5",
        "session 2026-11-29 was opened",
        "authentication failed",
        "signature mismatch",
        "key is missing",
        "Basic settings",
        "bearer of a badge",
        "the phone number is missing",
        "the password is too short",
        "This password is too common.",
        "session ended 12:30:05",
        "token count is 400",
        "cookie is not set",
        "passed 12345678 rows",
        "The token has expired.",
        "keyboard 12345678",
        "tokens 12 of 15",
    ],
)
def test_it_leaves_sentences_about_secrets_alone(text):
    assert redact_text(text) == text


def test_long_values_are_hidden_as_a_whole():
    for value in ("x" * 5000, '"' + "x y" * 2000 + '"', "'" + "x" * 600):
        assert redact_text(f"password={value}") == "password=[hidden]"
    assert redact_text(f"a://u:{'x' * 5000}@h") == "a://u:[hidden]@h"
    assert redact_text(f"{'x' * 5000}_token=abc") == f"{'x' * 5000}_token=[hidden]"


def test_texts_among_arguments_and_results_are_searched_too():
    shown = redact_call(("message", "n"), ["login with password=hunter2", 3], {"urls": ["a://u:pw@h"]})
    assert shown == (["login with password=[hidden]", 3], {"urls": ["a://u:[hidden]@h"]})
    assert not is_complete([shown[0]])
    assert not is_complete([shown[1]])


def test_a_progress_message_is_searched():
    reported = []
    job = CurrentJob(report_progress=reported.append)
    job.progress(1, 1, "using token=abc")
    assert reported == [{"current": 1, "total": 1, "message": "using token=[hidden]"}]


def test_indented_lines_of_a_message_are_no_source_code():
    try:
        raise ValueError("settings:\n    password: hunter2")
    except ValueError as error:
        failure = describe(error)
    assert "    password: [hidden]" in failure.traceback
    assert failure.error_message == "settings:\n    password: [hidden]"


def unbounded_repeats(pattern) -> Iterator[object]:
    """The repeats of a parsed regular expression that may match any number of times and give back what they matched."""
    for operator, argument in pattern:
        if operator in (re._constants.MAX_REPEAT, re._constants.MIN_REPEAT) and argument[1] == re._constants.MAXREPEAT:
            yield argument
        for part in argument if isinstance(argument, (tuple, list)) else [argument]:
            for nested in part if isinstance(part, list) else [part]:
                if isinstance(nested, re._parser.SubPattern):
                    yield from unbounded_repeats(nested)


def test_no_pattern_reads_a_text_more_than_once():
    """Work grows with the length of a text: nothing that may repeat without end is given back and tried again."""
    patterns = {name: one for name, one in vars(texts).items() if isinstance(one, re.Pattern)}
    assert len(patterns) > 10
    tried_again = {
        name: list(unbounded_repeats(re._parser.parse(one.pattern, one.flags))) for name, one in patterns.items()
    }
    assert {name: repeats for name, repeats in tried_again.items() if repeats} == {}
    assert list(unbounded_repeats(re._parser.parse(r"\beyJ[\w-]{5,}\.|(?:a|(b*))"))) != []


def test_the_source_lines_of_a_group_of_exceptions_stay():
    lines = [
        "  + Exception Group Traceback (most recent call last):",
        '  |   File "a.py", line 1, in f',
        "  |     token = 'x'",
    ]
    text = "\n".join([*lines, "  | ExceptionGroup: token = 'x'", ""])
    assert redact_traceback(text) == "\n".join([*lines, "  | ExceptionGroup: token = [hidden]", ""])


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


@pytest.mark.parametrize(
    "written",
    [repr, ascii, json.dumps, lambda value: json.dumps(value, ensure_ascii=False), quote, quote_plus, storable_text],
)
def test_hidden_arguments_are_hidden_however_they_are_written(written):
    for value in ('it\'s "so"', "back\\slash", "line\nbreak", "senhaçã", "a b&c=/+", "nul\x00byte", "\U0001f69a cafe"):
        shown = hide_values(f"for {written(value)}.", secret_values(("password",), [value], {}))
        assert shown.replace('"', "").replace("'", "") == "for [hidden].", (value, shown)


def test_the_secrets_of_long_lists_are_hidden_too():
    devices = [{"name": f"Van {number}", "token": f"s3cret-{number:04}"} for number in range(500)]
    values = secret_values(("devices",), [devices], {})
    assert hide_values("Van 250: s3cret-0250 refused", values) == "Van 250: [hidden] refused"


@pytest.mark.parametrize("text", ["a" * 20_000, 'token="' * 3000, "token:" * 3000, "://" + "a" * 20_000, "eyJ" * 6000])
def test_it_takes_no_longer_for_texts_that_are_made_to_take_long(text):
    began = time.process_time()
    redact_text(text)
    assert time.process_time() - began < 1
