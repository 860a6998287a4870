"""`python -m trackerproject.dev.icons`: draw the icons of the installed pages from favicon.svg, with Chromium.

The drawing stands on a ground within the inner 70 %, which every mask of a phone leaves visible.
"""

from __future__ import annotations

import base64
import sys
from pathlib import Path

from trackerproject.dev.chromium import find_chromium, running_chromium

FOLDER = Path(__file__).resolve().parents[2] / "tasks_app" / "static" / "tasks_app"
SIZES = (180, 192, 512)
GROUND = "#ffffff"
_PAGE = """<body style="margin:0;background:{ground}"><img src="data:image/svg+xml;base64,{drawing}"
style="display:block;width:70vw;height:70vh;margin:15vh auto"></body>"""


def main() -> int:
    chromium = find_chromium()
    if not chromium:
        print("No Chromium on PATH: install it, or set CHROMIUM_PATH.", file=sys.stderr)
        return 1
    drawing = base64.b64encode((FOLDER / "favicon.svg").read_bytes()).decode()
    with running_chromium(chromium) as browser:
        for size in SIZES:
            page = browser.new_page(viewport={"width": size, "height": size})
            page.set_content(_PAGE.format(ground=GROUND, drawing=drawing))
            page.screenshot(path=FOLDER / f"icon-{size}.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
