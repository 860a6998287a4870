"""Connections that have to leave where too many wait to authenticate."""

from __future__ import annotations

from tasks_app.websockets.waiting import MAX_PER_ADDRESS, MAX_WAITING, WaitingRoom, address_of


class Guest:
    def __init__(self, room: WaitingRoom, address: str) -> None:
        self.room, self.address, self.code = room, address, 0

    def end(self, code: int) -> None:
        self.code = code
        self.room.leave(self)


def enter(room: WaitingRoom, address: str, number: int = 1) -> list[Guest]:
    guests = [Guest(room, address) for _ in range(number)]
    for guest in guests:
        room.enter(guest)
    return guests


def test_the_oldest_of_an_address_leaves_for_its_newest():
    room = WaitingRoom()
    guests = enter(room, "192.0.2.1", MAX_PER_ADDRESS + 3)
    assert [guest.code for guest in guests] == [4429] * 3 + [0] * MAX_PER_ADDRESS
    assert len(room) == MAX_PER_ADDRESS


def test_of_all_the_oldest_of_the_busiest_address_leaves():
    room = WaitingRoom()
    busy = enter(room, "192.0.2.1", MAX_PER_ADDRESS)
    others = [enter(room, f"198.51.100.{number}")[0] for number in range(MAX_WAITING - MAX_PER_ADDRESS + 1)]
    assert [guest.code for guest in busy] == [4429] + [0] * (MAX_PER_ADDRESS - 1)
    assert not any(guest.code for guest in others)
    assert len(room) == MAX_WAITING


def test_who_left_is_forgotten():
    room = WaitingRoom()
    (guest,) = enter(room, "192.0.2.1")
    room.leave(guest)
    room.leave(guest)
    assert len(room) == 0


def test_an_address_is_what_the_web_server_says():
    assert address_of({"client": ("192.0.2.1", 5)}) == "192.0.2.1"
    assert address_of({"client": None}) == ""
    assert address_of({}) == ""
