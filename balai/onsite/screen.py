"""
The page that a kiosk or display begins with, on loopback: what works is offered, what does not is explained.

`screen.py SETTINGS FOLDER AUTHORITIES`. A screen goes on when the mall's server, its way out or a service is gone, so
its first page is its own. Each place is asked over TLS every few seconds, as a browser would; nothing a citizen does
is seen here, but the number of a kiosk with a printer: the page of the queue, and no other, asks for it on paper. What
is printed is what the mall's server tells of it, never words of a browser.
"""

from __future__ import annotations

import datetime
import http.client
import http.server
import json
import re
import runpy
import socket
import ssl
import sys
import threading
import time
import urllib.parse
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

ADDRESS = ("127.0.0.1", 8080)
EVERY, PATIENCE = 5.0, 4.0  # seconds between two rounds of questions, and until an answer is given up
PAGES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/screen.js": ("screen.js", "text/javascript; charset=utf-8"),
    "/screen.css": ("screen.css", "text/css; charset=utf-8"),
}
SEEN = Path("/run/balai-screen/printer")  # what it last said of itself, for `balai-mall status`
KEY, OFFICE = re.compile(r"[A-Za-z0-9-]{8,64}"), re.compile(r"[a-z][a-z0-9-]{0,39}")
MOST_BYTES, MOST_ATTEMPTS = 512, 3
POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'"


def sibling(name: str) -> dict[str, Any]:
    """Return what another program of this folder defines: the folder itself is not searched."""
    return runpy.run_path(str(Path(__file__).with_name(f"{name}.py")))


HOURS = sibling("hours")


class RefusedError(Exception):
    """A ticket that is not printed, with its code of HTTP."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def ask(url: str, trust: ssl.SSLContext) -> str:
    """
    Return `works`, `away` (nobody is there), or what is wrong with whoever is.

    `broken`: an error of its own, or no words that a browser knows. `silent`: no answer in time. `doubtful`: a
    certificate that is not its own, by which its browser would refuse it.
    """
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPSConnection(parts.hostname or "", parts.port, timeout=PATIENCE, context=trust)
    try:
        way = socket.create_connection((connection.host, connection.port), PATIENCE)
    except OSError:
        return "away"
    began, other = time.monotonic(), way.dup()
    # One that answers a letter at a time would never be given up: it is hung up on.
    ending = threading.Timer(PATIENCE, other.shutdown, [socket.SHUT_RDWR])
    ending.start()
    try:
        connection.sock = trust.wrap_socket(way, server_hostname=connection.host)
        connection.request("GET", parts.path or "/", headers={"User-Agent": "balai-screen"})
        return "works" if connection.getresponse().status < 500 else "broken"
    except ssl.SSLCertVerificationError:
        return "doubtful"
    except (OSError, http.client.HTTPException):
        return "silent" if time.monotonic() - began >= PATIENCE else "broken"
    finally:
        ending.cancel()
        ending.join()
        connection.close()
        way.close()
        other.close()


def trusting(folder: Path, url: str) -> ssl.SSLContext:
    """Return TLS settings that trust, for a name, the authorities by whose file's name it ends, or the machine's."""
    host = urllib.parse.urlsplit(url).hostname or ""
    files = [path for path in sorted(folder.glob("*.crt")) if f".{host}".endswith(f".{path.stem}")]
    if not files:
        return ssl.create_default_context()
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for path in files:
        trust.load_verify_locations(cafile=str(path))
    return trust


def number(server: str, trust: ssl.SSLContext, office: str, key: str) -> dict[str, Any] | None:
    """Return the number that the mall's server has given for a key, which it tells again; None when it does not."""
    connection = http.client.HTTPSConnection(server, timeout=PATIENCE, context=trust)
    try:
        connection.request("POST", "/api/tickets", json.dumps({"office": office, "key": key}))
        answer = connection.getresponse()
        told = json.loads(answer.read(MOST_BYTES * 4))
        return told if answer.status == 201 and isinstance(told, dict) else None
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()


class Tickets:
    """Numbers on paper, for the page of the mall's queue and nobody else."""

    def __init__(self, settings: dict[str, Any], authorities: Path) -> None:
        self.settings, self.authorities = settings, authorities
        self.paper = sibling("printer")
        self.printer = self.paper["Printer"](settings["printer"]["at"])
        self.server = urllib.parse.urlsplit(settings["page"]).netloc
        self.origin = f"https://{self.server}"

    def check(self, headers: Any) -> None:
        """Refuse whoever is not the page of the queue on this machine, or sends what it never would."""
        # Another name for this address (rebinding), or another page that the browser may open.
        if headers["Host"] != "{}:{}".format(*ADDRESS) or headers["Origin"] != self.origin:
            raise RefusedError(403)

    def print(self, asked: Any) -> str:
        """Print the number of a key; return `printed`, or what kept it from paper."""
        office, key, attempt = asked["office"], asked["key"], asked["attempt"]
        if not OFFICE.fullmatch(office) or not KEY.fullmatch(key) or attempt not in range(1, MOST_ATTEMPTS + 1):
            raise RefusedError(400)
        told = number(self.server, trusting(self.authorities, self.origin), office, key)
        if told is None:
            return "unknown"
        settings = self.settings
        words = self.paper["ticket"](told, settings["mall"], settings["printer"]["columns"], settings["texts"])
        return str(self.printer.print(key, attempt, words))

    def watch(self) -> None:
        """Keep looking at the printer."""
        while True:
            try:
                self.printer.look(SEEN)
            except OSError as error:
                sys.stderr.write(f"{SEEN}: {error}\n")
            time.sleep(self.paper["EVERY"])


class State:
    """What of a screen's places works, as the last round found it."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings = settings
        self.urls = [url for url in [settings["page"], *(p["url"] for p in settings["places"])] if url]
        self.found: dict[str, str] = {}
        self.asking: dict[str, threading.Thread] = {}

    def look(self, authorities: Path) -> None:
        """Ask every place at once: one that does not answer holds up no other, and is asked by one thread at most."""

        def learn(url: str) -> None:
            try:
                self.found[url] = ask(url, trusting(authorities, url))
            except (OSError, ValueError) as error:  # an authority's file that is none
                sys.stderr.write(f"{url}: {error}\n")
                self.found[url] = "broken"

        for url in self.urls:
            if url not in self.asking or not self.asking[url].is_alive():
                self.asking[url] = threading.Thread(target=learn, args=(url,), daemon=True)
                self.asking[url].start()
        until = time.monotonic() + PATIENCE * 2
        for url, thread in self.asking.items():
            thread.join(max(0.0, until - time.monotonic()))
            if thread.is_alive():  # its name is still looked for
                self.found[url] = "away"

    def as_dict(self, now: datetime.datetime | None = None) -> dict[str, Any]:
        """Return what the page shows; `asking` until a place was asked."""
        settings = self.settings
        until = HOURS["opens"](settings, now or datetime.datetime.now(ZoneInfo(settings["timezone"])))
        return {
            **{key: settings[key] for key in ("mall", "title", "profile", "touch", "texts")},
            "opens": until,
            "page": {"url": settings["page"], "state": self.found.get(settings["page"], "asking")},
            "places": [{**p, "state": self.found.get(p["url"], "asking")} for p in settings["places"]],
        }


def handler(state: State, folder: Path, tickets: Tickets | None = None) -> type[http.server.BaseHTTPRequestHandler]:
    """Return what answers the browser of this machine."""

    class Handler(http.server.BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:
            if self.path == "/state.json":
                self._send(json.dumps(state.as_dict()).encode(), "application/json")
            elif self.path.partition("?")[0] in PAGES:
                name, kind = PAGES[self.path.partition("?")[0]]
                self._send((folder / name).read_bytes(), kind)
            else:
                self.send_error(404)

        def do_OPTIONS(self) -> None:
            """Tell the page of the queue that it may ask for paper."""
            try:
                self._tickets()
            except RefusedError as refused:
                self.send_error(refused.code)
                return
            methods = {"Access-Control-Allow-Methods": "POST", "Access-Control-Allow-Headers": "Content-Type"}
            self._send(b"", "text/plain", methods)

        def do_POST(self) -> None:
            try:
                outcome = self._tickets().print(self._asked())
            except RefusedError as refused:
                self.send_error(refused.code)
            except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
                self.send_error(400)
            else:
                self._send(json.dumps({"outcome": outcome}).encode(), "application/json")

        def _tickets(self) -> Tickets:
            if tickets is None or self.path != "/ticket":
                raise RefusedError(404)
            tickets.check(self.headers)
            return tickets

        def _asked(self) -> Any:
            # A form of another page cannot say this kind without asking before.
            if self.headers["Content-Type"] != "application/json":
                raise RefusedError(415)
            length = int(self.headers.get("Content-Length") or 0)
            if not 0 < length <= MOST_BYTES:
                raise RefusedError(413)
            return json.loads(self.rfile.read(length))

        def _send(self, body: bytes, kind: str, more: dict[str, str] | None = None) -> None:
            more = more or {}
            if self.command != "GET" and tickets:
                more["Access-Control-Allow-Origin"] = tickets.origin
            self.send_response(200)
            for key, value in (
                ("Content-Type", kind),
                ("Content-Length", str(len(body))),
                ("Cache-Control", "no-store"),
                ("Content-Security-Policy", POLICY),
                *more.items(),
            ):
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Keep no record of what is looked at."""

    return Handler


def main(argv: list[str]) -> None:
    """Serve the page, and keep asking."""
    settings, folder, authorities = json.loads(Path(argv[0]).read_text()), Path(argv[1]), Path(argv[2])
    state = State(settings)
    tickets = Tickets(settings, authorities) if settings["printer"] else None
    server = http.server.ThreadingHTTPServer(ADDRESS, handler(state, folder, tickets))
    if tickets:
        threading.Thread(target=tickets.watch, daemon=True).start()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    while True:
        state.look(authorities)
        time.sleep(EVERY)


if __name__ == "__main__":
    main(sys.argv[1:])
