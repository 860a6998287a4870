"""The life of one tracker's connection, or of one UDP sender: frames are cut, decoded, taken in and only then acknowledged.

A link is ready, or it waits: for its device to be looked up, for a parcel to be taken in, or to try again after neither was
possible. While it waits nothing is decoded, and what arrives stays in the link, then in the kernel, then in the tracker.
"""

from __future__ import annotations

import logging
import random
from collections import deque
from datetime import datetime

from django.utils import timezone

from tasks_app.gateway.intake import Parcel
from tasks_app.gateway.sessions import described
from tasks_app.gateway.shared import Shared
from tasks_app.ingest.trackers.base import BadFrame, Decoded, FrameTooLong, TrackerProtocol, TrackerSession
from tasks_app.queries.tracker_devices import TrackerDevice
from tasks_app.services.intake import TrackerMessages
from tasks_app.services.trackers import SessionOpening

logger = logging.getLogger(__name__)

# Of one connection, in one parcel.
MAX_FRAMES_TOGETHER = 16
MAX_MESSAGES_TOGETHER = 512
# Bytes that are read ahead while a link waits.
READ_AHEAD_BYTES = 4 * 1024
# A tracker may send as many messages at once as it may in this time; then it is read no faster than that.
BURST_SECONDS = 30.0
FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS = 0.25, 10.0

_Frame = tuple[bytes, Decoded]


class Link:
    """Base of both transports, which send, pause and close."""

    # One for each of many thousands: no dictionary.
    __slots__ = (
        "_ahead", "_answered", "_buffer", "_failures", "_frames", "_paced_at", "address", "bad_frames",
        "bytes_received", "bytes_sent", "commanded_at", "device", "fence", "frame_count", "heard_at", "is_closed",
        "is_retired", "is_waiting", "opened_at", "protocol", "session", "shared", "since",
    )  # fmt: skip

    def __init__(self, shared: Shared, protocol: TrackerProtocol, session: TrackerSession, address: str) -> None:
        self.shared = shared
        self.protocol = protocol
        self.session = session
        self.address = address
        self.device: TrackerDevice | None = None
        self.fence = 0
        self.is_closed = False
        self.is_waiting = False
        # A newer connection of its device has the session.
        self.is_retired = False
        self.opened_at = self.heard_at = shared.clock()
        self.commanded_at = float("-inf")
        self.since: datetime = timezone.now()
        self.bytes_received = self.bytes_sent = self.frame_count = self.bad_frames = 0
        self._buffer = b""
        self._frames: deque[bytes] | None = None
        self._ahead: _Frame | None = None
        # Tries in vain, and the answers in the frames that wait of which jobs were made meanwhile.
        self._failures = self._answered = 0
        # When it will have had the time for all that it has sent.
        self._paced_at = 0.0

    # --- What the transports do ---------------------------------------------------------------------------------------

    def transmit(self, data: bytes) -> None:
        """Send bytes."""
        raise NotImplementedError

    def has_unsent(self) -> bool:
        """Return whether bytes wait because the tracker does not read."""
        return False

    def pause(self) -> None:
        """Read no further."""

    def resume(self) -> None:
        """Read again."""

    def end(self) -> None:
        """Close the transport once it sent what it has."""
        raise NotImplementedError

    # --- From the tracker ---------------------------------------------------------------------------------------------

    def receive(self, data: bytes) -> None:
        """Take bytes of the tracker, in any pieces."""
        self.bytes_received += len(data)
        self.heard_at = self.shared.clock()
        self.shared.tally.bytes[self.protocol.name, "in"] += len(data)
        self._buffer = self._buffer + data if self._buffer else data
        if not self.is_waiting:
            self.work()
        elif len(self._buffer) >= READ_AHEAD_BYTES:
            self.pause()

    def work(self) -> None:
        """Serve what has arrived, until something has to be waited for."""
        self.is_waiting = False
        if not (self.is_closed or self.shared.is_draining or self._wait_for_pace()) and (ready := self._ready_frames()):
            self._serve(ready)
            if not (self.is_waiting or self.is_closed) and (self._frames or self._buffer):
                # The others first: one that sends without a pause must not hold them up.
                self.is_waiting = True
                self.shared.call_later(0, self.retry)
        if not (self.is_closed or self.is_waiting or self.shared.is_draining):
            self.resume()

    def _wait_for_pace(self) -> bool:
        """Return whether the link waits, since its tracker sends more than it may."""
        ahead_seconds = self._paced_at - self.shared.clock()
        if ahead_seconds <= 0:
            return False
        self.is_waiting = True
        self.pause()
        self.shared.call_later(ahead_seconds, self.retry)
        return True

    def _ready_frames(self) -> list[_Frame]:
        """Return decoded frames of one device that may send; none where there is no whole one, or the link waits now."""
        ready: list[_Frame] = []
        messages = 0
        while len(ready) < MAX_FRAMES_TOGETHER and messages < MAX_MESSAGES_TOGETHER:
            frame = self._next_frame()
            if frame is None:
                break
            name = frame[1].device_id or self.session.device_id
            if not name:
                self._count(frame[1].kind)
                continue
            if self.device is None or self.device.unique_id != name:
                self._ahead, is_first = frame, self.device is None
                if ready or not self._identify(name):
                    break
                self._ahead = None
                frame = self._decoded_as_set(frame, is_first=is_first)
            if any(message.device_id != name for message in frame[1].messages):
                self._bad_frame(frame[0], "wrong_device")
                continue
            ready.append(frame)
            self.bad_frames = 0
            messages += len(frame[1].messages)
        return ready

    def _next_frame(self) -> _Frame | None:
        """Return the next frame that can be decoded."""
        if self._ahead is not None:
            ahead, self._ahead = self._ahead, None
            return ahead
        while not self.is_closed and (self._frames or self._cut()):
            assert self._frames is not None
            raw = self._frames.popleft()
            if (decoded := self._decode(raw)) is not None:
                return raw, decoded
        return None

    def _cut(self) -> bool:
        """Cut frames off the buffer; return whether there are any."""
        if not self._buffer:
            return False
        try:
            cut = self.protocol.cut(self._buffer, self.session)
        except FrameTooLong:
            self.close("frame_too_long")
            return False
        except Exception:  # bytes of strangers find every fault of a protocol
            logger.exception("%s: a stream cannot be cut", self.protocol.name)
            self.close("fault")
            return False
        self._buffer = self._buffer[cut.used :]
        most = self.shared.config.max_frame_bytes
        if len(self._buffer) > most or any(len(one) > most for one in cut.frames):
            self.close("frame_too_long")
            return False
        if cut.skipped:
            self._bad_frame(b"", "garbage")
        self._frames = deque(cut.frames) if cut.frames else None
        return bool(cut.frames) and not self.is_closed

    def _decode(self, raw: bytes) -> Decoded | None:
        try:
            return self.protocol.decode(raw, self.session, timezone.now())
        except BadFrame as error:
            self._bad_frame(raw, error.code)
        except Exception:  # as in _cut
            logger.exception("%s: a frame cannot be decoded: %s", self.protocol.name, raw[:100].hex())
            self._bad_frame(raw, "fault")
        return None

    def _decoded_as_set(self, frame: _Frame, *, is_first: bool) -> _Frame:
        """Decode the first frame of a device again where its settings count for it, or where it was read as another's."""
        device = self.device
        assert device is not None
        self.session.set_up(zone_minutes=device.zone_minutes, relay_variant=device.relay_variant)
        has_settings = device.zone_minutes is not None or device.relay_variant
        is_read_again = not is_first or (has_settings and frame[1].messages)
        return (frame[0], self._decode(frame[0]) or frame[1]) if is_read_again else frame

    def _bad_frame(self, raw: bytes, code: str) -> None:
        """Count a frame that cannot be right; it is not acknowledged, and too many in a row close the connection."""
        self._count(code)
        self.shared.tally.unacknowledged[self.protocol.name, code] += 1
        if self.device is not None:
            self.shared.notes.frame(self.device.unique_id, "in", raw, code)
        self.bad_frames += 1
        if self.bad_frames >= self.shared.config.max_bad_frames:
            self._note_refusal()
            self.close("bad_frames")

    def _count(self, outcome: str) -> None:
        self.frame_count += 1
        self.shared.tally.frames[self.protocol.name, outcome] += 1

    # --- Who it is ----------------------------------------------------------------------------------------------------

    def _identify(self, name: str) -> bool:
        """Find the device of this identifier; return False where the link waits for it, or is refused."""
        identities = self.shared.identities
        identity = identities.get(name)
        if identity is None:
            throttle = self.shared.throttles[self.session.transport]
            if throttle.is_over(self.address, self.shared.clock()) and not identities.was_known(name):
                self._refuse(name, "throttled")
            elif identities.ask(name, self._identified):
                self.is_waiting = True
            else:
                self.retry_later()
            return False
        reason = identity.device.why_refused(self.address) if identity.device else "unknown"
        if reason:
            self._refuse(name, reason)
            return False
        self.shared.sessions.leave(self)
        self.device = identity.device
        # Frames without an identifier, and commands, are of this device from now on.
        self.session.belong_to(name)
        self.shared.sessions.named(self)
        return True

    def _identified(self, is_answered: bool) -> None:
        """Go on after the lookup. Without an answer of the database the tracker gets none either."""
        if self.is_closed:
            return
        if is_answered:
            self.work()
        else:
            self.retry_later()

    def _refuse(self, name: str, reason: str) -> None:
        shared = self.shared
        shared.tally.refused[self.protocol.name, reason] += 1
        self._note_refusal()
        if reason == "unknown":
            shared.notes.unknown(name, self.protocol.name, self.address)
        refusal = self._ahead[1].refusal if self._ahead else b""
        self._ahead = None
        self.refused(refusal)

    def _note_refusal(self) -> None:
        self.shared.throttles[self.session.transport].note(self.address, self.shared.clock())

    def refused(self, refusal: bytes) -> None:
        """Send a refusal and close."""
        if refusal:
            self.send(refusal)
        self.close("refused")

    # --- Taking in ----------------------------------------------------------------------------------------------------

    def _serve(self, ready: list[_Frame]) -> None:
        device = self.device
        assert device is not None
        opening = None
        self.is_retired = self.shared.sessions.has_newer(self)
        if not self.fence and not self.is_retired and self.wants_session():
            opening = SessionOpening(
                device.unique_id, described(self, self.shared.clock()), yields=self.session.transport == "udp"
            )
        name = self.protocol.name
        answers = [
            one.answer for _, one in ready if one.answer is not None and self.shared.may_answer(name, device.unique_id)
        ][self._answered :]
        if opening is None and not answers and not any(decoded.messages for _, decoded in ready):
            self._acknowledge(ready)
            return
        frames = [TrackerMessages(device.pk, device.unique_id, one.messages, raw) for raw, one in ready]
        times = self.shared.clock(), self.commanded_at
        parcel = Parcel(self, name, device.unique_id, frames, ready, answers, opening, *times)
        if self.shared.intake.offer(parcel):
            self.is_waiting = True
        else:
            self._try_again(parcel)

    def outcome(self, parcel: Parcel) -> None:
        """Acknowledge a parcel that was taken in; else keep its frames and try again."""
        if parcel.fence:
            self.shared.sessions.opened(self, parcel)
        if self.is_closed:
            return
        if parcel.is_broken:
            self.close("fault")
        elif not parcel.is_taken:
            self._try_again(parcel)
        else:
            self.shared.answered(device_id=parcel.unique_id, count=self._answered + len(parcel.answers))
            self._failures = self._answered = 0
            seconds = self.shared.clock() - parcel.received_at
            self.shared.tally.seconds[self.protocol.name].append(seconds)
            self._acknowledge(parcel.decoded)
            self.work()

    def _try_again(self, parcel: Parcel) -> None:
        """Put the frames of a parcel back."""
        self._put_ahead_back()
        self._frames = deque([*(frame.frame for frame in parcel.frames), *(self._frames or ())])
        self._answered += parcel.answered
        self.shared.tally.unacknowledged[self.protocol.name, "not_taken_in"] += len(parcel.frames)
        if parcel.opening is not None:
            self.session_not_opened()
        self.retry_later()

    def retry_later(self) -> None:
        """Wait, each time longer, and work on. Nothing is read meanwhile."""
        self.is_waiting = True
        self._put_ahead_back()
        self.pause()
        longest = min(LONGEST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2 ** min(self._failures, 10))
        self._failures += 1
        self.shared.call_later(random.uniform(longest / 2, longest), self.retry)  # noqa: S311 - jitter, not a secret

    def _put_ahead_back(self) -> None:
        """Keep a frame as it came: nothing decoded is kept while a server is away, it would fill the memory."""
        if self._ahead is not None:
            self._frames = deque([self._ahead[0], *(self._frames or ())])
            self._ahead = None

    def retry(self) -> None:
        """Work on after a wait."""
        if not self.is_closed:
            self.work()

    def _acknowledge(self, ready: list[_Frame]) -> None:
        device = self.device
        assert device is not None
        earliest = self.shared.clock() - BURST_SECONDS
        self._paced_at = max(self._paced_at, earliest) + len(ready) * 60 / self.shared.config.frames_per_minute
        notes, name = self.shared.notes, self.protocol.name
        for raw, decoded in ready:
            self._count(decoded.kind)
            notes.frame(device.unique_id, "in", raw, decoded.kind)
        if not any(message.content is not None for _, decoded in ready for message in decoded.messages):
            notes.heard(device.pk)
        self.shared.tally.acknowledged[name] += len(ready)
        if replies := b"".join(decoded.reply for _, decoded in ready):
            notes.frame(device.unique_id, "out", replies, "")
            self.reply([decoded.reply for _, decoded in ready if decoded.reply])

    def reply(self, replies: list[bytes]) -> None:
        """Send acknowledgements."""
        self.send(b"".join(replies))

    def send(self, data: bytes) -> None:
        """Send bytes, and count them."""
        if not self.is_closed:
            self.transmit(data)
            self.bytes_sent += len(data)
            self.shared.tally.bytes[self.protocol.name, "out"] += len(data)

    # --- The session --------------------------------------------------------------------------------------------------

    def wants_session(self) -> bool:
        """Return whether the device's session is to be opened for this link."""
        return True

    def session_not_opened(self) -> None:
        """Note that the session that was asked for could not be opened now."""

    def retire(self) -> None:
        """End the link once what it has read is taken in, since a newer connection of its device has the session."""
        self.fence = 0
        self.is_retired = True
        if not self.is_waiting:
            self.close("superseded")

    def close(self, reason: str) -> None:
        """End the link, for a reason that is counted."""
        if not self.is_closed:
            self.is_closed = True
            self._frames = self._ahead = None
            self._buffer = b""
            self.shared.tally.closed[self.protocol.name, reason] += 1
            self.shared.sessions.leave(self)
            self.end()
