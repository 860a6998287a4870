"""Members change their own password, sessions, tokens, preferences and destinations, and nobody else's."""

from __future__ import annotations

import re

import pytest
from axes.models import AccessLog
from django.db.models.signals import pre_save
from django.test import Client
from django.urls import reverse
from knox.models import AuthToken

from notifications_app.models import Destination, NotificationPreference
from tasks_app.services.accounts import issue_token
from tests.support.rights import changed_tables, database_state

PASSWORD = "correct horse battery"
NEW_PASSWORD = "staple 42 mountain"
TOKEN = {"name": "Script", "scopes": ["read", "write"], "lifetime": "30"}
pytestmark = pytest.mark.django_db
HOOK = {"kind": "webhook", "name": "Mine", "url": "https://hooks.example.org/x"}


def url(name, **arguments):
    return reverse(f"pages:{name}", kwargs=arguments)


def signed_in(user, password=PASSWORD):
    client = Client()
    assert client.post("/login/", {"username": user.username, "password": password}).status_code == 302
    return client


def text_of(answer, status=200):
    assert answer.status_code == status, answer.content.decode()
    return answer.content.decode()


@pytest.fixture
def ana(operator):
    client = Client()
    client.force_login(operator)
    return client


def test_a_new_password_ends_other_sessions_and_tokens(operator, db):
    here, elsewhere = signed_in(operator), signed_in(operator)
    issue_token(user=operator, now=operator.date_joined)
    body = {"old_password": PASSWORD, "new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD}
    assert "Your password was changed." in text_of(here.post(url("password"), body, follow=True))
    assert here.get("/").status_code == 200
    assert elsewhere.get("/").status_code == 302
    assert not AuthToken.objects.exists()
    signed_in(operator, NEW_PASSWORD)


def test_guessing_the_old_password_is_limited(operator, settings):
    settings.AXES_FAILURE_LIMIT = 2
    here = signed_in(operator)
    body = {"old_password": "guess", "new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD}
    texts = [text_of(here.post(url("password"), body)) for _ in range(4)]
    assert "Too many failed logins" in texts[-1]


def test_a_person_sees_their_sessions_and_ends_another_one(operator, make_user):
    here, elsewhere, foreign = signed_in(operator), signed_in(operator), signed_in(make_user())
    text = text_of(here.get(url("access")))
    assert text.count("this one") == 1
    (address,) = re.findall(r'action="([^"]+/sessions/\w{64}/end/)"', text)
    (foreign_address,) = set(
        re.findall(r'action="([^"]+/sessions/\w{64}/end/)"', text_of(elsewhere.get(url("access"))))
    )
    assert foreign.post(address).status_code == 404
    assert here.post(address).status_code == 302
    assert elsewhere.get("/").status_code == 302
    assert here.get("/").status_code == 200
    assert foreign_address not in text


def test_sessions_without_a_record_of_their_log_in_are_listed_and_can_be_ended(ana, operator):
    other = Client()
    other.force_login(operator)
    AccessLog.objects.all().delete()
    text = text_of(ana.get(url("access")))
    assert text.count("No record of its log-in") == 2
    (address,) = re.findall(r'action="([^"]+/sessions/\w{64}/end/)"', text)
    assert ana.post(address).status_code == 302
    assert other.get("/").status_code == 302


def test_all_other_sessions_are_ended_at_once_and_only_ones_own(operator, make_user):
    here, *others = [signed_in(operator) for _ in range(3)]
    foreign = signed_in(make_user())
    address = url("other_sessions_end")
    assert address in text_of(here.get(url("access")))
    assert "2 other sessions have ended." in text_of(here.post(address, follow=True))
    assert [client.get("/").status_code for client in (here, foreign, *others)] == [200, 200, 302, 302]
    assert address not in text_of(here.get(url("access")))
    assert "0 other sessions have ended." in text_of(here.post(address, follow=True))


def test_sessions_of_a_former_password_are_not_listed(operator):
    signed_in(operator)
    operator.set_password(NEW_PASSWORD)
    operator.save()
    here = signed_in(operator, NEW_PASSWORD)
    assert len(here.get(url("access")).context["sessions"]) == 1


def test_a_token_is_shown_once_works_and_is_revoked(ana, operator, api):
    text = text_of(ana.post(url("token_add"), TOKEN))
    (token,) = re.findall(r'<p class="tk-pre">(\w+)</p>', text)
    ask = {"headers": {"Authorization": f"Token {token}"}}
    assert Client().get("/api/devices", **ask).status_code == 200
    listed = text_of(ana.get(url("access")))
    assert token not in listed
    key = AuthToken.objects.get(user=operator).token_key
    assert key in listed
    assert ana.post(url("token_revoke", token_key=key)).status_code == 302
    assert Client().get("/api/devices", **ask).status_code == 401


def test_nothing_of_others_can_be_ended_or_seen(ana, make_user):
    other = make_user()
    issue_token(user=other, now=other.date_joined)
    destination = Destination(
        user=other, **{name: HOOK[name] for name in ("kind", "name")}, address="hooks.example.org"
    )
    destination.secrets = {"url": "https://hooks.example.org/secret"}
    destination.save()
    before = database_state()
    key = AuthToken.objects.get().token_key
    assert ana.post(url("token_revoke", token_key=key)).status_code == 404
    assert ana.post(url("token_revoke", token_key="\0")).status_code == 404
    for name in ("destination_test", "destination_enable", "destination_delete"):
        assert ana.post(url(name, destination_id=destination.pk)).status_code == 404
    assert "hooks.example.org" not in text_of(ana.get(url("destinations")))
    assert changed_tables(before, database_state()) == []


def test_a_live_token_limit_is_answered_with_a_sentence(ana, operator):
    for _ in range(20):
        issue_token(user=operator, now=operator.date_joined)
    assert "live tokens already" in text_of(ana.post(url("token_add"), TOKEN, follow=True))


def test_a_destination_is_added_with_its_secret_shown_once_tested_and_removed(ana, operator):
    text = text_of(ana.post(url("destination_add"), HOOK))
    secret = Destination.objects.get(user=operator).secrets["signing_secret"]
    assert secret in text
    listed = text_of(ana.get(url("destinations")))
    assert secret not in listed
    assert "Not tested yet" in listed
    pk = Destination.objects.get().pk
    assert "A test is on its way." in text_of(ana.post(url("destination_test", destination_id=pk), follow=True))
    assert 'Test: <strong class="">Pending</strong>' in text_of(ana.get(url("destinations")))
    assert "Remove Mine?" in text_of(ana.get(url("destination_delete", destination_id=pk)))
    assert "Mine was removed." in text_of(ana.post(url("destination_delete", destination_id=pk), follow=True))
    assert not Destination.objects.exists()


def test_a_destination_of_a_name_that_is_taken_is_refused_beside_the_field(ana, operator):
    text_of(ana.post(url("destination_add"), HOOK))
    assert "You have a destination of this name already." in text_of(ana.post(url("destination_add"), HOOK))
    assert Destination.objects.count() == 1


def test_the_answer_to_a_test_is_shown_with_its_duration(ana, operator, receiver, run_jobs):
    text_of(ana.post(url("destination_add"), {**HOOK, "url": receiver.url}))
    ana.post(url("destination_test", destination_id=Destination.objects.get().pk))
    assert "data-test-pending" in text_of(ana.get(url("destinations")))
    run_jobs("notifications")
    listed = text_of(ana.get(url("destinations")))
    assert "data-test-pending" not in listed
    assert "200 thanks" in listed
    assert re.search(r"\d\.\d\d s</dd>", listed)


def test_too_many_tests_are_refused_with_a_sentence(ana, settings):
    settings.CHANNEL_TESTS_PER_10_MINUTES = 1
    ana.post(url("destination_add"), HOOK)
    address = url("destination_test", destination_id=Destination.objects.get().pk)
    ana.post(address)
    assert "Too many tests were sent" in text_of(ana.post(address, follow=True))


@pytest.mark.parametrize(
    "text", ["", "🚚", "\u202eevil", "</script><b>", "x" * 10_000, "a\x00b", "http://127.0.0.1/", "tgram://"]
)
def test_an_address_that_is_no_good_is_refused_beside_its_field(ana, text):
    answer = ana.post(url("destination_add"), {**HOOK, "url": text})
    assert "</script><b>" not in text_of(answer)
    assert answer.context["form"].errors
    assert not Destination.objects.exists()


def test_a_destination_that_is_sent_twice_at_once_is_refused_in_a_sentence(ana):
    def make_meanwhile(instance, **_signal):
        Destination.objects.bulk_create([Destination(user_id=instance.user_id, kind="webhook", name="Mine")])

    pre_save.connect(make_meanwhile, sender=Destination)
    try:
        answer = ana.post(url("destination_add"), HOOK)
    finally:
        pre_save.disconnect(make_meanwhile, sender=Destination)
    assert "Another change came in between" in text_of(answer)


PREFERENCES = {
    "language": "pt-br",
    "time_zone": "America/Sao_Paulo",
    "distance_unit": "mi",
    "speed_unit": "mph",
    "altitude_unit": "ft",
    "volume_unit": "gal",
    "theme": "dark",
    "quiet_from": "22:00",
    "quiet_to": "06:30",
    "daily_summary_at": "07:00",
}


@pytest.mark.parametrize("language", ["en", "pt-br"])
def test_no_two_preferences_have_one_name(ana, language):
    page = ana.get(url("preferences"), headers={"Accept-Language": language}).content.decode()
    names = re.findall(r"<label[^>]*>\s*([^<]+?)\s*<", page)
    assert len(names) > 10
    assert sorted(set(names)) == sorted(names)


def test_preferences_are_kept_and_hold_for_the_pages(ana, operator):
    text = text_of(ana.post(url("preferences"), PREFERENCES, follow=True))
    assert "Suas preferências foram salvas." in text
    kept = NotificationPreference.objects.get(user=operator)
    assert (kept.speed_unit, f"{kept.quiet_from:%H:%M}") == ("mph", "22:00")
    assert ana.get("/").headers["Content-Language"] == "pt-br"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("time_zone", "Nowhere/Land"),
        ("quiet_from", ""),
        ("quiet_from", "25:00"),
        ("speed_unit", "</script>"),
        ("digest_every_minutes", "-1"),
    ],
)
def test_preferences_that_cannot_be_are_refused(ana, field, value):
    answer = ana.post(url("preferences"), {**PREFERENCES, field: value})
    assert answer.status_code == 200
    assert answer.context["form"].errors
    assert not NotificationPreference.objects.exists()
