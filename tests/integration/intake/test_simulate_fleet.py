"""The simulated fleet of `make run`, on a server where people change things."""

from __future__ import annotations

import io

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.utils import timezone
from knox.models import AuthToken

from tasks_app.models import Device
from tasks_app.services.accounts import issue_token
from trackerproject.dev.api_client import ApiClient
from trackerproject.dev.sample_fleet import ensure_sample_fleet

pytestmark = pytest.mark.django_db(transaction=True)


def drive(url: str) -> str:
    output = io.StringIO()
    call_command("simulate_fleet", "--url", url, "--vehicles", "3", "--minutes", "0.05", stdout=output)
    return output.getvalue()


def test_it_drives_on_when_somebody_switches_its_vehicles_off(live_server):
    ensure_sample_fleet(3)
    Device.objects.update(is_active=False)
    assert "inactive_device" in drive(live_server.url)


def test_it_drives_on_when_somebody_gives_its_operator_a_password(live_server, monkeypatch):
    def post_after_the_password(client, path, body, post=ApiClient.post):
        if not posted:
            operator = User.objects.get()
            operator.set_password("to log in as her")
            operator.save()
        posted.append(path)
        return post(client, path, body)

    posted: list[str] = []
    monkeypatch.setattr(ApiClient, "post", post_after_the_password)
    assert " -> " in drive(live_server.url)
    assert len(posted) > 1


def test_it_ends_with_the_reason_when_its_operator_may_not_log_in(live_server):
    ensure_sample_fleet(3)
    User.objects.update(is_active=False)
    with pytest.raises(CommandError, match="may not log in"):
        drive(live_server.url)


def test_the_tokens_that_its_operator_made_stay(live_server):
    operator = ensure_sample_fleet(3).operator
    issue_token(user=operator, now=timezone.now(), name="Mine")
    drive(live_server.url)
    drive(live_server.url)
    names = AuthToken.objects.filter(user=operator).values_list("details__name", flat=True)
    assert sorted(names) == ["Mine", "Simulated fleet"]
