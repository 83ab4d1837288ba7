"""
What citizens hand in for services that a mall cannot always reach: `intake.py SETTINGS DATABASE AUTHORITIES`.

Sealed to the tenant's public key (age) before anything is on disk, kept in SQLite before it is promised, sent on in
order as soon as there is a way, and forgotten when the tenant has said which one it has. Each has a key of its own, by
which a repeated request is kept once and a repeated delivery is stored once. What is full takes nothing more, and drops
nothing.
"""

from __future__ import annotations

import hashlib
import http.client
import http.server
import json
import re
import sqlite3
import ssl
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

ADDRESS = ("127.0.0.1", 8082)
KEY = re.compile(r"[A-Za-z0-9-]{16,64}")
PATIENCE, LEAST_WAIT, MOST_WAIT = 30.0, 1.0, 60.0  # seconds
KEPT_DAYS = 400  # that something was handed in; never what
SCHEMA = """
CREATE TABLE IF NOT EXISTS intakes (
    number INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, service TEXT NOT NULL, taken REAL NOT NULL,
    digest TEXT NOT NULL, sealed BLOB, delivered REAL
);
CREATE INDEX IF NOT EXISTS waiting ON intakes (service, number) WHERE delivered IS NULL;
"""
Json = dict[str, Any]


class RefusedError(Exception):
    """Something that is not taken in, with its code of HTTP and the key of its sentence."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


def seal(words: bytes, recipient: str) -> bytes:
    """Return words that only the holder of a key can read."""
    return subprocess.run(["age", "-r", recipient], input=words, capture_output=True, check=True, timeout=20).stdout


class Spool:
    """
    What was handed in and not sent on yet.

    Attributes:
        places: By service: `url`, `recipient`, and the bounds `days`, `mib`, `kib`.
    """

    def __init__(self, settings: Json, database: Path | str, sealing: Callable[[bytes, str], bytes] = seal) -> None:
        self.settings, self.seal = settings, sealing
        self.places: dict[str, Json] = {place["service"]: place for place in settings["places"]}
        self.lock = threading.Lock()
        self.base = sqlite3.connect(database, check_same_thread=False, isolation_level=None)
        self.base.execute("PRAGMA journal_mode = WAL")
        self.base.execute("PRAGMA synchronous = FULL")
        self.base.execute("PRAGMA secure_delete = ON")
        self.base.executescript(SCHEMA)

    def why_not(self, service: str, now: float) -> str:
        """Return why a service takes nothing in; "" when it does."""
        if not self.places[service]["recipient"]:
            return "intake_no_key"
        size, oldest = self.base.execute(
            "SELECT coalesce(sum(length(sealed)), 0), min(taken) FROM intakes WHERE service = ? AND delivered IS NULL",
            (service,),
        ).fetchone()
        old = oldest is not None and now - oldest > self.places[service]["days"] * 86400
        return "intake_full" if old or size >= self.places[service]["mib"] * 2**20 else ""

    def take(self, service: str, key: str, words: Any, now: float) -> Json:
        """Keep what was handed in, once for each key; return its receipt."""
        place = self.places.get(service)
        if place is None or not KEY.fullmatch(key):
            raise RefusedError(400, "intake_wrong")
        plain = json.dumps({"service": service, "site": self.settings["site"], "taken": now, "words": words}).encode()
        if len(plain) > place["kib"] * 1024:
            raise RefusedError(413, "intake_large")
        with self.lock:
            known = self.base.execute("SELECT 1 FROM intakes WHERE key = ?", (key,)).fetchone()
            if not known and (reason := self.why_not(service, now)):
                raise RefusedError(507, reason)
        if not known:
            sealed = self.seal(plain, place["recipient"])
            row = (key, service, now, hashlib.sha256(sealed).hexdigest(), sealed)
            with self.lock:
                self.base.execute(
                    "INSERT OR IGNORE INTO intakes (key, service, taken, digest, sealed) VALUES (?, ?, ?, ?, ?)", row
                )
        return {"receipt": key[:8].upper()}

    def next(self, service: str) -> tuple[str, str, bytes] | None:
        """Return key, digest and sealed words of the oldest that waits."""
        with self.lock:
            row: tuple[str, str, bytes] | None = self.base.execute(
                "SELECT key, digest, sealed FROM intakes "
                "WHERE service = ? AND delivered IS NULL ORDER BY number LIMIT 1",
                (service,),
            ).fetchone()
        return row

    def delivered(self, key: str, now: float) -> None:
        """Forget what was handed in; that it was is kept."""
        with self.lock, self.base:
            self.base.execute("BEGIN IMMEDIATE")
            self.base.execute("UPDATE intakes SET sealed = NULL, delivered = ? WHERE key = ?", (now, key))
            self.base.execute("DELETE FROM intakes WHERE delivered < ?", (now - KEPT_DAYS * 86400,))

    def state(self, now: float) -> Json:
        """Return what the page shows, and how many wait."""
        with self.lock:
            waiting = dict(
                self.base.execute("SELECT service, count(*) FROM intakes WHERE delivered IS NULL GROUP BY service")
            )
            places = [
                {"service": s, "title": p["title"], "closed": self.why_not(s, now), "waiting": waiting.get(s, 0)}
                for s, p in self.places.items()
            ]
        return {"mall": self.settings["mall"], "places": places, "texts": self.settings["texts"]}


def send(url: str, key: str, digest: str, sealed: bytes, trust: ssl.SSLContext) -> bool:
    """Return whether the tenant has said that it has this one: by its key, and by the digest of what it stored."""
    parts = urllib.parse.urlsplit(url)
    line = http.client.HTTPSConnection(parts.hostname or "", parts.port, timeout=PATIENCE, context=trust)
    try:
        line.request("POST", parts.path, sealed, {"Idempotency-Key": key, "Content-Type": "application/age"})
        answer = line.getresponse()
        told = json.loads(answer.read(4096)) if answer.status in (200, 201) else {}
    except (OSError, http.client.HTTPException, ValueError):
        return False
    finally:
        line.close()
    return isinstance(told, dict) and (told.get("key"), told.get("sha256")) == (key, digest)


def deliver(spool: Spool, service: str, sending: Callable[[str, str, str, bytes], bool], stop: threading.Event) -> None:
    """Send on in order, as fast as the share of the line lets, and ask again ever more seldom while nobody answers."""
    wait = LEAST_WAIT
    while not stop.is_set():
        waiting = spool.next(service)
        if waiting is None:
            stop.wait(LEAST_WAIT)
        elif sending(spool.places[service]["url"], *waiting):
            spool.delivered(waiting[0], time.time())
            stop.wait(len(waiting[2]) * 8 / 1000 / spool.settings["kbit"])
            wait = LEAST_WAIT
        else:
            stop.wait(wait)
            wait = min(MOST_WAIT, wait * 2)


def handler(spool: Spool) -> type[http.server.BaseHTTPRequestHandler]:
    """Return what answers the server in front."""
    most = max((place["kib"] for place in spool.places.values()), default=0) * 1024

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def do_GET(self) -> None:
            if self.path == "/api/intake":
                self._send(200, spool.state(time.time()))
            else:
                self._send(404, {"reason": "intake_wrong"})

        def do_POST(self) -> None:
            try:
                self._send(201, self._do())
            except RefusedError as refused:
                self._send(refused.code, {"reason": refused.reason})
            except (ValueError, KeyError, TypeError):
                self._send(400, {"reason": "intake_wrong"})
            except (sqlite3.Error, OSError, subprocess.SubprocessError) as error:  # a full disk: nothing was promised
                sys.stderr.write(f"not taken in: {type(error).__name__}\n")
                self._send(503, {"reason": "intake_full"})

        def _do(self) -> Json:
            length = int(self.headers.get("Content-Length") or 0)
            if not 0 < length <= most + 1024 or self.path != "/api/intake":
                self.close_connection = True
                raise RefusedError(413, "intake_large")
            asked = json.loads(self.rfile.read(length))
            return spool.take(str(asked["service"]), str(asked["key"]), asked["words"], time.time())

        def _send(self, code: int, body: Json) -> None:
            words = json.dumps(body).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(words)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(words)

        def log_message(self, format: str, *args: Any) -> None:
            """Keep no record of who handed in what."""

    return Handler


def main(argv: list[str]) -> None:
    """Take in and send on until stopped."""
    spool = Spool(json.loads(Path(argv[0]).read_text()), Path(argv[1]))
    trust = ssl.create_default_context()
    for path in sorted(Path(argv[2]).glob("*.crt")):
        trust.load_verify_locations(cafile=str(path))

    def sending(url: str, key: str, digest: str, sealed: bytes) -> bool:
        return send(url, key, digest, sealed, trust)

    for service in spool.places:
        threading.Thread(target=deliver, args=(spool, service, sending, threading.Event()), daemon=True).start()
    http.server.ThreadingHTTPServer(ADDRESS, handler(spool)).serve_forever()


if __name__ == "__main__":
    main(sys.argv[1:])
