"""
The first page of a screen in a kiosk's own Chromium, before servers that misbehave; the lab's mall is left alone.

The browser and the shell have a network of their own on this machine. Chromium is spoken to over a pipe.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from balai.mall.screens import screen_of
from balai.sites import INVENTORIES, load_site
from lab import trees

pytestmark = pytest.mark.lab

VIEW = load_site(INVENTORIES / "sites/mpp-banyuwangi.yml")
MACHINES = {machine.name.removeprefix("mpp-banyuwangi-"): machine for machine in VIEW.machines}
TEXTS = screen_of(MACHINES["kiosk-1"], VIEW)["texts"]
PATIENCE = 2000  # milliseconds, in place of the page's own
# The shell, and servers by port: 8441 works, 8442 works for the shell and says nothing to a browser.
SERVERS = """
import http.server, ssl, sys, threading, time
from balai.onsite import screen

class Works(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.server.server_port == 8442 and self.headers["User-Agent"] != "balai-screen":
            time.sleep(600)
        words = b"<title>There</title>there"
        self.send_response(200)
        self.send_header("Content-Length", str(len(words)))
        self.end_headers()
        self.wfile.write(words)

    def log_message(self, *_):
        pass

trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
trust.load_cert_chain(sys.argv[3] + "/localhost.crt", sys.argv[3] + "/key")
for port in (8441, 8442):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Works)
    server.socket = trust.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
screen.EVERY = 0.5
screen.main(sys.argv[1:])
"""


def eventually(true: Callable[[], object], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.1)


class Page:
    """The first page of a screen, in Chromium."""

    def __init__(self, reading: int, writing: int) -> None:
        self.reading, self.writing = reading, writing
        self.number, self.heard = 0, b""
        (page,) = [t for t in self.ask("Target.getTargets")["targetInfos"] if t["type"] == "page"]
        self.session = self.ask("Target.attachToTarget", targetId=page["targetId"], flatten=True)["sessionId"]

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        self.number += 1
        words = {"id": self.number, "method": method, "params": parameters}
        if hasattr(self, "session"):
            words["sessionId"] = self.session
        os.write(self.writing, json.dumps(words).encode() + b"\0")
        while True:
            told = json.loads(self.hear())
            if told.get("id") == self.number:
                return told.get("result") or {}

    def hear(self) -> bytes:
        while b"\0" not in self.heard:
            piece = os.read(self.reading, 65536)
            assert piece, "Chromium has ended"
            self.heard += piece
        words, _, self.heard = self.heard.partition(b"\0")
        return words

    def run(self, script: str) -> Any:
        return self.ask("Runtime.evaluate", expression=script, returnByValue=True).get("result", {}).get("value")

    def words(self) -> str:
        return str(self.run("document.body.innerText"))


@contextlib.contextmanager
def shown(home: Path, root: Path, **changes: Any) -> Iterator[Page]:
    """Show the page of a kiosk, with changed settings, in a network of its own."""
    argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    argv += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run([*argv, "-keyout", home / "key", "-out", home / "localhost.crt"], check=True, capture_output=True)
    (home / "settings.json").write_text(json.dumps({**screen_of(MACHINES["kiosk-1"], VIEW), "openings": [], **changes}))
    folder = shutil.copytree(root / "roles/kiosk/files", home / "page")
    script = (folder / "screen.js").read_text()
    assert "const PATIENCE = 15000;" in script
    (folder / "screen.js").write_text(script.replace("const PATIENCE = 15000;", f"const PATIENCE = {PATIENCE};"))
    tree = trees.tree_of("screen")
    mounts = f"mount --bind {tree} {tree} && mount -t tmpfs t {tree}/tmp && mount -t proc p {tree}/proc && mount --rbind /dev {tree}/dev"
    browser = (
        "--headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run --ignore-certificate-errors"
    )
    (home / "run.sh").write_text(
        f"ip link set lo up && {mounts} || exit 1\n"
        f"{sys.executable} -c '{SERVERS}' {home}/settings.json {folder} {home} &\n"
        "trap 'kill %1' EXIT\n"
        "until curl -s http://127.0.0.1:8080/state.json | grep -q works; do sleep 0.2; done\n"
        f"chroot {tree} env -i HOME=/tmp chromium {browser} --remote-debugging-pipe --user-data-dir=/tmp/profile "
        'http://127.0.0.1:8080/ 3<&"$1" 4>&"$2"\n'
    )
    (reads, tells), (hears, says) = os.pipe(), os.pipe()
    argv = [
        "unshare",
        "-mnpf",
        "--kill-child",
        "--propagation",
        "private",
        "bash",
        f"{home}/run.sh",
        str(reads),
        str(says),
    ]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    with (home / "said").open("w") as said:
        process = subprocess.Popen(argv, pass_fds=(reads, says), env=environment, stdout=said, stderr=said)
        os.close(reads)
        os.close(says)
        try:
            yield Page(hears, tells)
        finally:
            process.kill()
            process.wait()
            os.close(tells)
            os.close(hears)


def place(port: int) -> dict[str, Any]:
    return {
        "name": f"x/{port}",
        "title": {"id": f"Layanan {port}", "en": "x"},
        "url": f"https://localhost:{port}/",
        "when_dark": "refuse",
    }


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Iterator[Page]:
    with shown(tmp_path_factory.mktemp("screen"), root, page="", places=[place(8441), place(8442)]) as there:
        eventually(lambda: there.run("document.querySelectorAll('main a').length") == 2, 30)
        yield there


def test_a_closed_mall_says_when_it_opens_and_offers_nothing(page: Page) -> None:
    script = "(() => { lang = %r; draw({...last, opens: '2026-12-02T08:00'}); return document.body.innerText })()"
    said = {language: page.run(script % language) for language in ("id", "en")}

    for language, day in (("id", "Rabu, 2 Desember"), ("en", "Wednesday")):
        assert TEXTS["screen_closed"][language] in said[language]
        assert day in said[language]
    assert page.run("document.querySelectorAll('main a').length") == 0
    page.run("lang = 'id'; draw(last)")


def test_a_service_that_never_answers_is_given_up_and_said_and_may_be_tried_again(page: Page) -> None:
    # Noted by the page itself: from outside it cannot be asked while it is on its way.
    page.run("said = []; new MutationObserver(() => said.push([performance.now(), document.body.innerText])).observe("
             "document.body, {subtree: true, childList: true, characterData: true})")  # fmt: skip
    page.run("document.querySelectorAll('main a')[1].click()")

    def when(key: str) -> float | None:
        words = TEXTS[f"screen_{key}"]["id"]
        return next((at for at, seen in page.run("said") if words in seen), None)

    eventually(lambda: when("silent"), 20)
    waited = (when("silent") or 0) - (when("asking") or 0)
    assert waited >= PATIENCE * 0.9, "it was not waited for"
    assert page.run("location.href") == "http://127.0.0.1:8080/"
    eventually(lambda: page.run("document.querySelectorAll('main a').length") == 2, 20)
    page.run("document.querySelectorAll('main a')[0].click()")
    eventually(lambda: page.run("document.title") == "There", 20)
