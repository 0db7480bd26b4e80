"""Takes screenshots of TensorBoard's pages in a real, headless Chromium.

pip install playwright; apt-get install chromium
python deploy/screenshot.py http://127.0.0.1:6006 FOLDER [PAGE...]

PAGE is the part behind # in TensorBoard's address: timeseries, custom_scalars, images, graphs, hparams.
"""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

PAGES = ("timeseries", "custom_scalars", "images", "graphs", "hparams")
SIZE = {"width": 1400, "height": 1000}
MILLISECONDS_TO_DRAW = 15_000  # charts do not signal when they are ready
MILLISECONDS_AT_MOST = 120_000  # for everything else, on a busy machine


def main(address: str, folder: Path, pages: tuple[str, ...]) -> None:
    """Save one PNG per page.

    Args:
        address: Address of TensorBoard.
        folder: Folder for the screenshots.
        pages: Names of the pages.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox"]
        )
        for name in pages:
            page = browser.new_page(viewport=SIZE)
            page.set_default_timeout(MILLISECONDS_AT_MOST)
            page.goto(f"{address}/#{name}", wait_until="networkidle")
            if name == "timeseries":
                page.get_by_role("button", name="Settings").click()  # closes the settings
            page.wait_for_timeout(MILLISECONDS_TO_DRAW)
            page.screenshot(path=folder / f"{name}.png")
            page.close()
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), tuple(sys.argv[3:]) or PAGES)
