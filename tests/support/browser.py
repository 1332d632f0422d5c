"""A real browser, for pages that have to be seen."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import select
import subprocess
import sys
from pathlib import Path
from typing import Any

_WITH_PIPES = """
import fcntl, os, sys
given = [fcntl.fcntl(int(pipe), fcntl.F_DUPFD, 10) for pipe in sys.argv[1:3]]
for place, pipe in enumerate(given, start=3):
    os.dup2(pipe, place)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""Becomes the browser, which reads from 3 and writes to 4."""


class Browser:
    """A headless Chromium, driven over a pipe by its DevTools protocol."""

    def __init__(self, program: str, profile: Path) -> None:
        commands, self._commands = os.pipe()
        self._answers, answers = os.pipe()
        arguments = [
            *(program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
            *("--remote-debugging-pipe", f"--user-data-dir={profile}", "about:blank"),
        ]
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-c", _WITH_PIPES, str(commands), str(answers), *arguments],
            pass_fds=(commands, answers),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(commands)
        os.close(answers)
        self._numbers = itertools.count(1)
        self._unread = b""
        self._session: str | None = None
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol; of the page once there is one."""
        number = next(self._numbers)
        session = {"sessionId": self._session} if self._session else {}
        told = json.dumps({"id": number, "method": method, "params": parameters, **session})
        os.write(self._commands, told.encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == number:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result
            if "method" in answer:
                self.events.append(answer)

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._unread:
            assert select.select([self._answers], [], [], 60)[0], "the browser does not answer"
            read = os.read(self._answers, 1 << 16)
            assert read, "the browser has ended"
            self._unread += read
        message, _, self._unread = self._unread.partition(b"\0")
        answer: dict[str, Any] = json.loads(message)
        return answer

    def open(self, page: str, folder: Path, *, width: int = 1280, scheme: str = "light", scripts: bool = True) -> None:
        """Show a page, and forget what was told of those before."""
        path = folder / f"{hashlib.sha256(page.encode()).hexdigest()[:16]}.html"
        path.write_text(page, encoding="utf-8")
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.call("Emulation.setScriptExecutionDisabled", value=not scripts)
        self.events.clear()
        self.call("Page.navigate", url=path.as_uri())
        self.until("Page.loadEventFired")

    def until(self, method: str, **parameters: Any) -> None:
        """Wait for an event with these parameters, unless it has been told."""

        def is_told(event: dict[str, Any]) -> bool:
            return event.get("method") == method and parameters.items() <= event["params"].items()

        while not any(map(is_told, self.events)):
            self.events.append(self._read())

    def ask(self, expression: str) -> Any:
        """The value of an expression in the page, of what it promises where it does."""
        told = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    def drawn(self) -> None:
        """Wait until the page has drawn what it was told."""
        self.ask("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))")

    def point(self, x: float, y: float, kind: str = "mouseMoved") -> None:
        """Move the mouse, or press or release its button."""
        pressed = {"button": "left", "clickCount": 1} if kind != "mouseMoved" else {}
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **pressed)

    def click(self, x: float, y: float) -> None:
        """Press and release the mouse."""
        for kind in ("mousePressed", "mouseReleased"):
            self.point(x, y, kind)

    def press(self, key: str) -> None:
        """Press a key, such as ``ArrowRight``."""
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key)

    def complaints(self) -> list[dict[str, Any]]:
        """Errors and messages of the console, exceptions, and boxes that a script opened."""
        told = {"Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded", "Page.javascriptDialogOpening"}
        return [event for event in self.events if event["method"] in told]

    def requests(self) -> list[str]:
        """Addresses that were asked for, the page's own included, and not what it holds inside itself."""
        asked = (e["params"]["request"]["url"] for e in self.events if e["method"] == "Network.requestWillBeSent")
        return [address for address in asked if not address.startswith("data:")]

    def close(self) -> None:
        """End it."""
        self._session = None
        try:
            self.call("Browser.close")
        finally:
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            os.close(self._commands)
            os.close(self._answers)
