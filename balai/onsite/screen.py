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
import runpy
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
HOURS = runpy.run_path(str(Path(__file__).with_name("hours.py")))  # lies beside it on a machine
POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'"


def ask(url: str, trust: ssl.SSLContext) -> str:
    """Return `works`, `broken` (an error of its own) or `away` (nobody answers, or a wrong certificate)."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPSConnection(parts.hostname or "", parts.port, timeout=PATIENCE, context=trust)
    try:
        connection.request("GET", parts.path or "/", headers={"User-Agent": "balai-screen"})
        return "works" if connection.getresponse().status < 500 else "broken"
    except (OSError, http.client.HTTPException):
        return "away"
    finally:
        connection.close()


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


class State:
    """What of a screen's places works, as the last round found it."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings = settings
        self.urls = [url for url in [settings["page"], *(p["url"] for p in settings["places"])] if url]
        self.found: dict[str, str] = {}

    def look(self, authorities: Path) -> None:
        """Ask every place at once: one that does not answer holds up no other."""

        def learn(url: str) -> None:
            self.found[url] = ask(url, trusting(authorities, url))

        threads = [threading.Thread(target=learn, args=(url,), daemon=True) for url in self.urls]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE * 2)

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
