"""`python -m trackerproject.dev.screenshots [--port 8000] [NAME ...]`: draw the pictures of docs/screenshots.

They show a running `make run DEMO=1` of this clone, in headless Chromium, as its administrator sees it. Each file has at most
LARGEST_BYTES: a palette in place of all colours.
"""

from __future__ import annotations

import argparse
import io
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from PIL import Image
from playwright.sync_api import Browser, Page

from trackerproject.dev.chromium import find_chromium, running_chromium
from trackerproject.dev.local_servers.places import Places

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "screenshots"
LARGEST_BYTES = 150_000
PALETTES = (256, 128, 64, 32)
VEHICLE = "Van 03"
FLEET_ZONE = ZoneInfo("America/Sao_Paulo")  # of sample_fleet.py, which needs the settings
# The map moves until the popup is within it.
POPUP_IS_WHOLE = """() => {
    const top = (one) => document.querySelector(one).getBoundingClientRect().top;
    return top(".leaflet-popup") > top(".tk-map") && !document.querySelector(".leaflet-pan-anim, .leaflet-zoom-anim");
}"""


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture: how to come to what it shows, in which size, colours and language."""

    name: str
    go: Callable[[Page], None]
    width: int = 1440
    height: int = 900
    scheme: Literal["light", "dark"] = "light"
    language: str = "en-US"


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m trackerproject.dev.screenshots", description="Draw docs/screenshots."
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(shot.name for shot in SHOTS))
    parser.add_argument("--port", default="8000", help="of `make run DEMO=1` (8000)")
    options = parser.parse_args()
    chromium = find_chromium()
    if not chromium:
        print("No Chromium on PATH: install it, or set CHROMIUM_PATH.", file=sys.stderr)
        return 1
    FOLDER.mkdir(exist_ok=True)
    with running_chromium(chromium) as browser:
        for shot in SHOTS:
            if not options.names or shot.name in options.names:
                size = save(take(browser, shot, f"http://127.0.0.1:{options.port}"), FOLDER / f"{shot.name}.png")
                print(f"{shot.name}: {size:,} bytes")
    return 0


def take(browser: Browser, shot: Shot, base_url: str) -> bytes:
    """Return the picture as Chromium draws it, after signing in."""
    password = (Places.of(ROOT, "run").home / "admin-password").read_text().strip()
    context = browser.new_context(
        base_url=base_url,
        viewport={"width": shot.width, "height": shot.height},
        color_scheme=shot.scheme,
        locale=shot.language,
        reduced_motion="reduce",
    )
    page = context.new_page()
    page.goto("/login/")
    page.fill("[name=username]", "admin")
    page.fill("[name=password]", password)
    page.press("[name=password]", "Enter")
    page.wait_for_url(lambda url: "login" not in url)
    shot.go(page)
    page.wait_for_load_state("networkidle")
    page.evaluate("document.activeElement.blur()")
    picture = page.screenshot()
    context.close()
    return picture


def save(picture: bytes, path: Path) -> int:
    """Write the picture with the largest palette that keeps it small enough; return its bytes."""
    whole = Image.open(io.BytesIO(picture)).convert("RGB")
    for colours in PALETTES:
        packed = io.BytesIO()
        few = whole.quantize(colours, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        few.save(packed, "PNG", optimize=True)
        if packed.tell() <= LARGEST_BYTES:
            break
    return path.write_bytes(packed.getvalue())


def yesterday(now: datetime) -> str:
    """Return the last whole day of the fleet, which is the last one of its month: not always that of UTC."""
    return (now.astimezone(FLEET_ZONE) - timedelta(days=1)).date().isoformat()


# --- The way to each picture ---


def overview(page: Page) -> None:
    page.goto("/admin/")


def live_map(page: Page) -> None:
    page.goto("/map/")
    page.get_by_role("region", name="Devices").get_by_role("button", name=VEHICLE).click()
    page.locator(".leaflet-popup").wait_for()
    page.wait_for_function(POPUP_IS_WHOLE)


def phone_map(page: Page) -> None:
    page.goto("/map/")
    page.locator("[data-part=devices] button").nth(2).wait_for()


def device_day(page: Page) -> None:
    _open_vehicle(page)
    address = re.sub(r"[?#].*", "", page.url).rstrip("/")
    page.goto(f"{address}/day/?date={yesterday(datetime.now(UTC))}&at=15:00:00")
    page.locator("[data-readout]").wait_for()
    page.locator("[data-slider]").wait_for()


def geofence_editor(page: Page) -> None:
    page.goto("/geofences/")
    page.get_by_role("link", name="Centre").first.click()
    page.locator(".tk-map canvas").first.wait_for()


def jobs(page: Page) -> None:
    page.goto("/admin/tasks_app/job/?search=-task:process_position_batch")


def job(page: Page) -> None:
    page.goto("/admin/tasks_app/job/?search=by:ana+queue:reports+state:succeeded")
    page.get_by_role("region", name="Jobs").locator("tbody a").first.click()


def queues(page: Page) -> None:
    page.goto("/admin/tasks_app/job/queues/")


def schedule(page: Page) -> None:
    page.goto("/admin/tasks_app/job/start/generate_device_report/")
    page.get_by_role("combobox", name="Device").fill(VEHICLE)
    page.get_by_role("option", name=VEHICLE).first.click()
    page.get_by_label("Time range").select_option("yesterday")
    page.get_by_label("On a schedule").check()
    page.get_by_label(re.compile("^Name")).fill(f"{VEHICLE}, each day")
    page.get_by_label(re.compile("^Repeat")).select_option("C")
    page.get_by_label(re.compile("^Cron expression")).fill("5 0 * * *")
    page.locator("[data-preview]").get_by_text("At 00:05").wait_for()


def rule(page: Page) -> None:
    page.goto("/admin/notifications_app/rule/")
    page.get_by_role("link", name="Depot").first.click()


def _open_vehicle(page: Page) -> None:
    page.goto(f"/devices/?q={VEHICLE}")
    page.get_by_role("link", name=VEHICLE, exact=True).click()


SHOTS = (
    Shot("overview", overview),
    Shot("live-map", live_map),
    Shot("device-day", device_day),
    Shot("geofence-editor", geofence_editor, height=1000),
    Shot("jobs", jobs),
    Shot("job", job),
    Shot("queues", queues),
    Shot("schedule", schedule, height=1100),
    Shot("rule", rule),
    Shot("phone-pt-dark", phone_map, width=390, height=844, scheme="dark", language="pt-BR"),
)

if __name__ == "__main__":
    sys.exit(main())
