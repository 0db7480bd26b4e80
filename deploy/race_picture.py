"""Takes the README's picture of a race page: on a desktop in light colours, and on a phone in dark colours.

apt-get install chromium chromium-driver
python -m deploy.race_picture PAGE.html#time=6.5 imgs/race.png
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from PIL import Image

from deploy.browser import Browser, missing
from system.exits import exit_with_error
from system.files import write_whole

DESK, PHONE = (1280, 880), (390, 880)  # CSS pixels
GAP = 24


def main(address: str, path: Path) -> None:
    """Write the picture.

    Args:
        address: The file of the page, followed by # and the state to show, such as `time=6.5`.
        path: File to write, a PNG.
    """
    name, _, moment = address.partition("#")
    if missing() or not Path(name).is_file():
        exit_with_error(missing() or f"{name}: no such file")
    whole = Image.new("RGB", (DESK[0] + GAP + PHONE[0], DESK[1]), "white")
    with Browser() as browser:
        for left, size, scheme in ((0, DESK, "light"), (DESK[0] + GAP, PHONE, "dark")):
            browser.resize(*size)
            browser.prefer(color_scheme=scheme)
            browser.open(f"{Path(name).resolve().as_uri()}#{moment}")
            browser.wait_for("return document.querySelector('#lead').textContent")
            whole.paste(Image.open(io.BytesIO(browser.picture())), (left, 0))
            browser.open("about:blank")
    png = io.BytesIO()
    whole.save(png, "PNG", optimize=True)
    write_whole(path, png.getvalue())


if __name__ == "__main__":
    if len(sys.argv) != 3:
        exit_with_error("python -m deploy.race_picture PAGE.html#time=SECONDS PICTURE.png")
    main(sys.argv[1], Path(sys.argv[2]))
