"""`python -m benchmarks.moving_map DEVICES`: frames per second of the live map of so many devices while it is panned.

The page as a member has it, in headless Chromium without a graphics card, 1280 x 800: panned 8 pixels each frame for
SECONDS, first while the devices stand, then while a tenth of them sends a fix each second, which goes through the pipeline,
the channel layer and the socket. The devices are those that `page_times` left. `_p95` is the time that 95 of 100 frames took
at most, in milliseconds.
"""

from __future__ import annotations

import json
import math
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import django

django.setup()

from django.contrib.auth import get_user_model  # noqa: E402
from django.test import Client  # noqa: E402
from django.urls import reverse  # noqa: E402
from django.utils import timezone  # noqa: E402
from playwright.sync_api import Page  # noqa: E402

from benchmarks.sample_pages import FLEET, clear_pages  # noqa: E402
from benchmarks.web import HOST, web_server  # noqa: E402
from tasks_app.ingest.fix import Fix  # noqa: E402
from tasks_app.models import DeviceState  # noqa: E402
from tasks_app.services.partitions import ensure_partitions  # noqa: E402
from tasks_app.services.positions.store import store_fixes  # noqa: E402
from trackerproject.dev.chromium import find_chromium, running_chromium  # noqa: E402

SECONDS = 6
# Each device sends every so many seconds.
PARTS = 10
START_MS = 60_000
SHOWN = "(devices) => document.querySelector('.tk-map').trackerMap.devices._entries.length >= devices"
PAN = """async (seconds) => {
    const { leaflet } = document.querySelector('.tk-map').trackerMap;
    const frames = [];
    const end = performance.now() + seconds * 1000;
    let last = performance.now();
    while (last < end) {
        const now = await new Promise(requestAnimationFrame);
        frames.push(now - last);
        last = now;
        const isBack = Math.floor(frames.length / 100) % 2;
        leaflet.panBy([isBack ? -8 : 8, 0], { animate: false });
    }
    return frames;
}"""


def main(devices: int) -> None:
    chromium = find_chromium()
    if not chromium:
        raise SystemExit("no Chromium")
    client = Client()
    client.force_login(get_user_model().objects.get(username="bench-manager"))
    session = client.cookies["sessionid"].value
    with web_server("trackerproject.asgi:application") as (_, port), running_chromium(chromium) as browser:
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        context.add_cookies([{"name": "sessionid", "value": session, "url": f"http://{HOST}:{port}"}])
        page = context.new_page()
        page.goto(f"http://{HOST}:{port}{reverse('pages:map')}")
        page.wait_for_function(SHOWN, arg=devices, timeout=START_MS)
        standing = panned(page)
        with moving(devices):
            moving_frames = panned(page)
    clear_pages()
    print(json.dumps({**figures("standing", standing), **figures("moving", moving_frames)}))


def panned(page: Page) -> list[float]:
    """Milliseconds of each frame, after a second to warm up."""
    page.evaluate(PAN, 1)
    frames: list[float] = page.evaluate(PAN, SECONDS)
    return frames


def figures(name: str, frames: list[float]) -> dict[str, float]:
    frames = sorted(frames)
    return {f"{name}_frames": 1000 * len(frames) / sum(frames), f"{name}_p95": frames[int(len(frames) * 0.95)]}


@contextmanager
def moving(devices: int) -> Iterator[None]:
    """Let one part of the devices after the other drive on, one each second, until the block ends."""
    rows = DeviceState.objects.filter(device__fleet__name=FLEET).order_by("pk")[:devices]
    places = list(rows.values_list("device__unique_id", "latitude", "longitude", "course_degrees"))
    is_over = threading.Event()
    ensure_partitions([timezone.now()])

    def drive() -> None:
        for number in range(1_000_000):
            began = time.monotonic()
            at, round_number = timezone.now(), 1 + number // PARTS
            store_fixes([fix_of(place, round_number, at) for place in places[number % PARTS :: PARTS]], at)
            if is_over.wait(max(0.0, began + 1 - time.monotonic())):
                return

    thread = threading.Thread(target=drive)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def fix_of(place: tuple[str, float, float, float], number: int, at: datetime) -> Fix:
    """The fix of a device that drove on for so many rounds of PARTS seconds at 60 km/h, wherever it headed."""
    unique_id, latitude, longitude, course = place
    degrees = number * 0.0015
    north, east = degrees * math.cos(math.radians(course)), degrees * math.sin(math.radians(course))
    return Fix(unique_id, at, latitude + north, longitude + east, 60.0, course, attributes={"ignition": True})


if __name__ == "__main__":
    main(int(sys.argv[1]))
