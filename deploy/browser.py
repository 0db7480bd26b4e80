"""Controls a real, headless Chromium through chromedriver, with the W3C WebDriver protocol.

The Debian packages are chromium and chromium-driver.
"""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from typing import Any

SECONDS_AT_MOST = 60.0  # on a busy machine
SIZE = (1280, 900)  # CSS pixels
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--hide-scrollbars", "--force-device-scale-factor=1"),
)
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # key of an element's ID, defined by WebDriver


def missing() -> str:
    """Return which programs this machine lacks; empty if none."""
    absent = [name for name in ("chromium", "chromedriver") if not shutil.which(name)]
    return f"needs {' and '.join(absent)}" if absent else ""


class BrowserError(Exception):
    """The browser reported an error; the message is its own."""


class Browser:
    """A browser with one window; a context manager.

    Args:
        width: Width of the page, CSS pixels.
        height: Height of the page, CSS pixels.

    Raises:
        OSError: If the browser does not start.
    """

    def __init__(self) -> None:
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self._driver = subprocess.Popen(
            ["chromedriver", "--port=0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            self._url = f"http://127.0.0.1:{self._port()}"
            chrome = {"args": [*FLAGS, f"--user-data-dir={self._profile.name}"]}
            wanted = {
                "browserName": "chrome",
                "goog:chromeOptions": chrome,
                "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
            }
            made = self._ask("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
            self._url += f"/session/{made['sessionId']}"
            self.resize(*SIZE)
            self.open("about:blank")
            self.requests(), self.complaints()  # discard those of the browser's own first page
        except BaseException:
            self._end()
            raise

    def _port(self) -> int:
        assert self._driver.stdout
        for line in self._driver.stdout:
            if "started successfully on port" in line:
                return int(line.rsplit(maxsplit=1)[1].rstrip("."))
        raise OSError("chromedriver did not start")

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + path, data, method=method)
        try:
            with urllib.request.urlopen(request, timeout=SECONDS_AT_MOST) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as e:
            raise BrowserError(json.load(e)["value"]["message"]) from None

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *error: object) -> None:
        try:
            self._ask("DELETE", "")
        finally:
            self._end()

    def _end(self) -> None:
        self._driver.kill()
        self._driver.wait()
        if self._driver.stdout:
            self._driver.stdout.close()
        self._profile.cleanup()

    def resize(self, width: int, height: int) -> None:
        """Set the size of the page in CSS pixels; it may be as small as on a phone."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.devtools("Emulation.setDeviceMetricsOverride", **size)

    def prefer(self, **features: str) -> None:
        """Set user preferences (CSS media features), such as `color_scheme="dark"` or `reduced_motion="reduce"`."""
        named = [
            {"name": f"prefers-{n.replace('_', '-')}", "value": v} for n, v in features.items()
        ]
        self.devtools("Emulation.setEmulatedMedia", features=named)

    def devtools(self, command: str, **parameters: Any) -> Any:
        """Call a command of the Chrome DevTools Protocol and return its result."""
        return self._ask("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def open(self, address: str) -> None:
        """Load a page."""
        self._ask("POST", "/url", {"url": address})

    def run(self, script: str, *arguments: Any) -> Any:
        """Run JavaScript in the page and return its result."""
        return self._ask("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def wait_for(self, script: str, seconds: float = SECONDS_AT_MOST) -> Any:
        """Run JavaScript repeatedly until its result is true, and return the result.

        Raises:
            TimeoutError: If that takes longer than `seconds`.
        """
        end = time.monotonic() + seconds
        while not (value := self.run(script)):
            if time.monotonic() > end:
                raise TimeoutError(f"not within {seconds:.0f} s: {script}")
            time.sleep(0.05)
        return value

    def click(self, selector: str) -> None:
        """Click on the first element that matches a CSS selector."""
        found = self._ask("POST", "/element", {"using": "css selector", "value": selector})
        self._ask("POST", f"/element/{found[ELEMENT]}/click", {})

    def press(self, *keys: str) -> None:
        """Press and release keys, one after the other."""
        strokes = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        action = {"type": "key", "id": "keyboard", "actions": strokes}
        self._ask("POST", "/actions", {"actions": [action]})

    def picture(self) -> bytes:
        """Take a screenshot, a PNG."""
        return base64.b64decode(self._ask("GET", "/screenshot"))

    def complaints(self) -> list[str]:
        """Return the messages on the console since the last call."""
        return [entry["message"] for entry in self._ask("POST", "/se/log", {"type": "browser"})]

    def requests(self) -> list[str]:
        """Return the URLs that were requested since the last call."""
        entries = self._ask("POST", "/se/log", {"type": "performance"})
        events = [json.loads(entry["message"])["message"] for entry in entries]
        sent = [e["params"] for e in events if e["method"] == "Network.requestWillBeSent"]
        return [parameters["request"]["url"] for parameters in sent]
