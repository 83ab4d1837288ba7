"""A Chromium of a kiosk's own, as its user and with policies that a test chooses, spoken to over the DevTools protocol."""

from __future__ import annotations

import base64
import ctypes
import http.client
import json
import os
import socket
import threading
import time
import urllib.parse
from pathlib import Path
from typing import Any, Self

import websocket

from lab import machines, screens

PORT, UNIT = 9333, "balai-escape"
FOLDER = "/run/balai-escape"
_NEW_NETWORK = 0x40000000


def dial(host: machines.Host, port: int, seconds: float = 5) -> socket.socket:
    """Return a connection to a port of a host's loopback: made by a thread that has stepped into its network."""
    found: list[socket.socket | OSError] = []

    def step_in() -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        with Path(f"/run/netns/{host.netns}").open() as place:
            if libc.setns(place.fileno(), _NEW_NETWORK):
                found.append(OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno())))
                return
        try:
            found.append(socket.create_connection(("127.0.0.1", port), timeout=seconds))
        except OSError as error:
            found.append(error)

    thread = threading.Thread(target=step_in)
    thread.start()
    thread.join()
    (result,) = found
    if isinstance(result, OSError):
        raise result
    return result


def fetch(host: machines.Host, port: int, path: str) -> Any:
    """Return the JSON that a port of a host's loopback answers with."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.sock = dial(host, port)
    connection.request("GET", path)
    try:
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


class Browser:
    """
    Chromium under policies; `with Browser(host, policies) as browser`.

    Attributes:
        words: More words of its command line.
        patience: Seconds until it must be up.
    """

    def __init__(
        self,
        host: machines.Host,
        policies: dict[str, Any],
        *words: str,
        patience: float = 8,
    ) -> None:
        self.host, self.policies, self.words = host, policies, words
        self.patience = patience
        self.number = 0

    def __enter__(self) -> Self:
        self.__exit__()
        script = f"mkdir -p {FOLDER} && cat > {FOLDER}/policies.json"
        machines.inside(self.host, "sh", "-c", script, stdin=json.dumps(self.policies))
        machines.inside(self.host, "install", "-d", "-o", "kiosk", f"{FOLDER}/profile")
        done = machines.inside(
            self.host, "systemd-run", "--quiet", "--collect", f"--unit={UNIT}", "--uid=kiosk",
            f"--property=BindReadOnlyPaths={FOLDER}/policies.json:/etc/chromium/policies/managed/balai.json",
            f"--setenv=HOME={FOLDER}/profile", f"--setenv=XDG_RUNTIME_DIR={FOLDER}/profile",
            "chromium", "--headless=new", f"--remote-debugging-port={PORT}", f"--user-data-dir={FOLDER}/profile",
            "--no-first-run", "--disable-gpu", "--disable-dev-shm-usage", "--password-store=basic", *self.words,
            "about:blank",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        deadline = time.monotonic() + self.patience
        while True:
            try:
                page = next(t for t in self.targets() if t["url"] == "about:blank")
                break
            except (OSError, ValueError, StopIteration) as error:
                if time.monotonic() > deadline:
                    self.__exit__()
                    raise AssertionError(f"Chromium does not come up: {error!r}") from None
                time.sleep(0.2)
        path = urllib.parse.urlsplit(page["webSocketDebuggerUrl"]).path
        self.line = websocket.create_connection(
            f"ws://127.0.0.1:{PORT}{path}", socket=dial(self.host, PORT), suppress_origin=True, timeout=15
        )
        self.ask("Page.enable")
        return self

    def __exit__(self, *_: object) -> None:
        if line := getattr(self, "line", None):
            line.shutdown()
        machines.inside(self.host, "sh", "-c", f"systemctl kill -s KILL {UNIT}; systemctl stop {UNIT}; rm -rf {FOLDER}")

    def targets(self) -> list[dict[str, Any]]:
        """Return its pages, workers and extensions."""
        found: list[dict[str, Any]] = fetch(self.host, PORT, "/json/list")
        return found

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Return the result of a command of the protocol, or its error."""
        self.number += 1
        self.line.send(json.dumps({"id": self.number, "method": method, "params": parameters}))
        while True:
            told: dict[str, Any] = json.loads(self.line.recv())
            if told.get("id") == self.number:
                return told.get("result") or {"error": told.get("error")}

    def open(self, url: str) -> str:
        """Go to an address; return Chromium's error, or "" when it was opened."""
        said = str(self.ask("Page.navigate", url=url).get("errorText", ""))
        deadline = time.monotonic() + 5
        # On its page of an error too: a Chromium that is sent on before it stands there ends.
        while self.run("document.readyState") != "complete" and time.monotonic() < deadline:
            time.sleep(0.05)
        return said

    def keep(self, name: str) -> None:
        """Keep a picture of the page, for whoever reads the verdicts."""
        folder = screens.PICTURES / "escape"
        folder.mkdir(parents=True, exist_ok=True)
        picture = self.ask("Page.captureScreenshot", format="png").get("data", "")
        (folder / f"{name.replace(' ', '-')}.png").write_bytes(base64.b64decode(picture))

    def run(self, script: str) -> Any:
        """Return what a script of the page comes to, as a citizen's touch would start it; None when it throws."""
        told = self.ask("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, userGesture=True)
        return told.get("result", {}).get("value")
