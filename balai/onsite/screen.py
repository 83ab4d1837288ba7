"""
The page that a kiosk or display begins with, on loopback: what works is offered, what does not is explained.

`screen.py SETTINGS FOLDER AUTHORITIES`. A screen goes on when the mall's server, its way out or a service is gone, so
its first page is its own. Each place is asked over TLS every few seconds, as a browser would; nothing a citizen does
is seen here.
"""

from __future__ import annotations

import datetime
import http.client
import http.server
import json
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
DAY = 24 * 60  # minutes; openings are minutes of a week that begins on Monday
PAGES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/screen.js": ("screen.js", "text/javascript; charset=utf-8"),
    "/screen.css": ("screen.css", "text/css; charset=utf-8"),
}
POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'"


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


def opens(settings: dict[str, Any], now: datetime.datetime) -> datetime.datetime | None:
    """Return when a mall that is closed at a local time opens; None while it is open, or nobody knows its hours."""
    midnight = datetime.datetime.combine(now.date(), datetime.time(), now.tzinfo)
    for day in (midnight + datetime.timedelta(days=n) for n in range(400)):  # over the longest run of closed days
        spans = [
            (
                day + datetime.timedelta(minutes=first % DAY),
                day + datetime.timedelta(minutes=last - first + first % DAY),
            )
            for first, last in settings["openings"]
            if first // DAY == day.weekday() and day.date().isoformat() not in settings["closed_on"]
        ]
        if any(start <= now < end for start, end in spans):
            return None
        if later := [start for start, _ in spans if start > now]:
            return min(later)
    return None


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
        until = opens(settings, now or datetime.datetime.now(ZoneInfo(settings["timezone"])))
        return {
            **{key: settings[key] for key in ("mall", "title", "profile", "touch", "texts")},
            "opens": f"{until:%Y-%m-%dT%H:%M}" if until else "",
            "page": {"url": settings["page"], "state": self.found.get(settings["page"], "asking")},
            "places": [{**p, "state": self.found.get(p["url"], "asking")} for p in settings["places"]],
        }


def handler(state: State, folder: Path) -> type[http.server.BaseHTTPRequestHandler]:
    """Return what answers the browser of this machine."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/state.json":
                self._send(json.dumps(state.as_dict()).encode(), "application/json")
            elif self.path.partition("?")[0] in PAGES:
                name, kind = PAGES[self.path.partition("?")[0]]
                self._send((folder / name).read_bytes(), kind)
            else:
                self.send_error(404)

        def _send(self, body: bytes, kind: str) -> None:
            self.send_response(200)
            for key, value in (
                ("Content-Type", kind),
                ("Content-Length", str(len(body))),
                ("Cache-Control", "no-store"),
                ("Content-Security-Policy", POLICY),
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
    server = http.server.ThreadingHTTPServer(ADDRESS, handler(state, folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    while True:
        state.look(authorities)
        time.sleep(EVERY)


if __name__ == "__main__":
    main(sys.argv[1:])
