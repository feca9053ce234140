"""A real headless browser for tests, spoken to in DevTools' protocol over a pipe."""

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    *("--no-first-run", "--hide-scrollbars", "--remote-debugging-pipe"),
)


class Page:
    """One tab.

    Attributes:
        requests: the addresses of all that it asked for.
        complaints: what stands in its console, and what could not be loaded.
    """

    def __init__(self, to: int, back: int) -> None:
        self._to, self._back = os.fdopen(to, "wb"), os.fdopen(back, "rb")
        self._number, self._rest = 0, b""
        self._loaded = set[str]()
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self._session: str | None = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        found = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = found["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call("Page.setLifecycleEventsEnabled", enabled=True)

    def open(self, path: Path | str) -> None:
        """Go to a file, or to an address, and wait until all of it is loaded."""
        found = self.call("Page.navigate", url=path if isinstance(path, str) else path.as_uri())
        while found["loaderId"] not in self._loaded:  # a small page may be there already
            self._read()

    def look(self, width: int, height: int, scheme: str = "light") -> None:
        """Set the window's size, in pixels, and the colours that a person prefers."""
        size = {"width": width, "height": height}
        self.call("Emulation.setDeviceMetricsOverride", **size, deviceScaleFactor=1, mobile=False)
        preferred = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", features=preferred)

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def wait(self, condition: str) -> None:
        """Wait until a JavaScript expression is true of the page."""
        look = "const look = () => (%s) ? done() : requestAnimationFrame(look); look();"
        promise = f"new Promise(done => {{ {look % condition} }})"
        found = self.call("Runtime.evaluate", expression=promise, awaitPromise=True)
        assert "exceptionDetails" not in found, found

    def press(self, key: str, text: str = "") -> None:
        """Press a key, by the name that its event has."""
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, text=text)

    def screenshot(self, path: Path) -> None:
        """Save what the window shows as a PNG."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """A command of the protocol and its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        self._to.write(json.dumps(message).encode() + b"\0")
        self._to.flush()
        while (answer := self._read()).get("id") != self._number:
            pass
        assert "error" not in answer, answer
        return answer["result"]

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            more = os.read(self._back.fileno(), 1 << 20)
            assert more, "the browser is gone"
            self._rest += more
        first, _, self._rest = self._rest.partition(b"\0")
        message = json.loads(first)
        match message.get("method"), message.get("params"):
            case "Page.lifecycleEvent", {"name": "load", "loaderId": loader}:
                self._loaded.add(loader)
            case "Network.requestWillBeSent", event:
                self.requests.append(event["request"]["url"])
            case "Network.loadingFailed", event:
                self.complaints.append(event["errorText"])
            case "Log.entryAdded", event:
                self.complaints.append(event["entry"]["text"])
            case "Runtime.consoleAPICalled" | "Runtime.exceptionThrown", event:
                self.complaints.append(json.dumps(event))
        return message


@contextmanager
def browser(profile: Path) -> Iterator[Page]:
    """A tab of a browser of its own, which ends with the block; skips the test without one."""
    program = next(filter(None, map(shutil.which, _NAMES)), None)
    if program is None:
        pytest.skip(f"none of {', '.join(_NAMES)} is installed")
    (read_commands, commands), (answers, write_answers) = os.pipe(), os.pipe()
    # The browser reads from descriptor 3 and writes to 4, whatever these are here.
    script = f'exec "$@" 3<&{read_commands} 4>&{write_answers}'
    process = subprocess.Popen(
        ["bash", "-c", script, "-", program, *_FLAGS, f"--user-data-dir={profile}"],
        pass_fds=(read_commands, write_answers),
        stderr=subprocess.DEVNULL,
    )
    os.close(read_commands)
    os.close(write_answers)
    try:
        yield Page(commands, answers)
    finally:
        process.kill()
        process.wait()
