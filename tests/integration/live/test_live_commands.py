"""Commands over a real WebSocket: those of devices one may see, as they change."""

from __future__ import annotations

import pytest

from tests.support.commands import HeldWay, Wire, ask, send, use_ways
from tests.support.rights import give
from tests.support.web import running_web, session_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def way(monkeypatch) -> HeldWay:
    held = HeldWay()
    use_ways(monkeypatch, held)
    return held


def test_a_command_is_shown_as_it_changes_to_those_who_may_see_it(operator, make_user, device, tmp_path):
    blind = give(make_user(is_staff=True), "tasks_app.view_device")
    command = ask(device, operator)
    with (
        running_web(tmp_path) as web,
        web.live(session=session_of(operator)) as live,
        web.live(session=session_of(blind)) as other,
    ):
        assert [one["state"] for one in live.next()["commands"]] == ["queued"]
        assert "commands" not in other.next()
        send(command, Wire())
        sent = live.until(lambda message: any(one["state"] == "sent" for one in message.get("commands", [])))
        assert sent["type"] == "update"
        assert [(one["id"], one["device_id"]) for one in sent["commands"]] == [(command.pk, device.pk)]
        ask(device, operator)
        live.until(lambda message: any(one["id"] != command.pk for one in message.get("commands", [])))
        assert not any("commands" in message for message in other.messages)
