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
import ipaddress
import json
import re
import secrets
import socket
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
PATIENCE, LEAST_WAIT, MOST_WAIT, IDLE = 30.0, 1.0, 60.0, 5.0  # seconds
AROUND, GREETING = 512, 2048  # bytes of the line beside one's own: heads and receipts; the start of a conversation
SO_MAX_PACING_RATE = 47  # of Linux, bytes a second; Python has no name for it
ASIDE = 3600.0  # seconds until one that its tenant has refused is tried again; the others do not wait for it
KEPT_DAYS = 400  # that something was handed in; never what
SCHEMA = """
CREATE TABLE IF NOT EXISTS intakes (
    number INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, name TEXT NOT NULL UNIQUE,
    service TEXT NOT NULL, taken REAL NOT NULL, digest TEXT NOT NULL, sealed BLOB, delivered REAL, again REAL
);
CREATE INDEX IF NOT EXISTS waiting ON intakes (service, number) WHERE delivered IS NULL;
CREATE INDEX IF NOT EXISTS gone ON intakes (delivered) WHERE delivered IS NOT NULL;
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
        places: By service: `url`, `recipient`, its share of the line `kbit`, and the bounds `days`, `mib`, `kib`.
    """

    def __init__(self, settings: Json, database: Path | str, sealing: Callable[[bytes, str], bytes] = seal) -> None:
        self.settings, self.seal = settings, sealing
        self.places: dict[str, Json] = {place["service"]: place for place in settings["places"]}
        self.lock, self.sealing = threading.Lock(), threading.Semaphore(2)
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
            "SELECT coalesce(sum(length(sealed)), 0), min(iif(again IS NULL, taken, NULL)) FROM intakes "
            "WHERE service = ? AND delivered IS NULL",
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
            known = self.base.execute("SELECT name FROM intakes WHERE key = ?", (key,)).fetchone()
            if not known and (reason := self.why_not(service, now)):
                raise RefusedError(507, reason)
        if not known:
            with self.sealing:
                sealed = self.seal(plain, place["recipient"])
            # The name by which the tenant knows it is ours: two malls may be given the same key.
            row = (key, secrets.token_hex(16), service, now, hashlib.sha256(sealed).hexdigest(), sealed)
            with self.lock:
                self.base.execute(
                    "INSERT OR IGNORE INTO intakes (key, name, service, taken, digest, sealed) "
                    "VALUES (?, ?, ?, ?, ?, ?)",
                    row,
                )
                known = self.base.execute("SELECT name FROM intakes WHERE key = ?", (key,)).fetchone()
        return {"receipt": known[0][:8].upper()}

    def next(self, service: str, now: float) -> tuple[str, str, bytes] | None:
        """Return name, digest and sealed words of the oldest that waits and is not set aside."""
        with self.lock:
            row: tuple[str, str, bytes] | None = self.base.execute(
                "SELECT name, digest, sealed FROM intakes WHERE service = ? AND delivered IS NULL "
                "AND (again IS NULL OR again < ?) ORDER BY number LIMIT 1",
                (service, now),
            ).fetchone()
        return row

    def set_aside(self, name: str, now: float) -> None:
        """Keep one that its tenant has refused, and let the others pass."""
        with self.lock:
            self.base.execute("UPDATE intakes SET again = ? WHERE name = ?", (now + ASIDE, name))

    def delivered(self, name: str, now: float) -> None:
        """Forget what was handed in; that it was is kept."""
        with self.lock, self.base:
            self.base.execute("BEGIN IMMEDIATE")
            self.base.execute("UPDATE intakes SET sealed = NULL, delivered = ? WHERE name = ?", (now, name))
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


class Way:
    """
    The way to a tenant: one conversation while it lasts, and never more of the line than its share.

    The kernel spreads what is said evenly; a large one does not take the line for itself meanwhile.
    """

    def __init__(self, url: str, authorities: Path, kbit: float) -> None:
        self.url, self.authorities, self.kbit = urllib.parse.urlsplit(url), authorities, kbit
        self.line: http.client.HTTPSConnection | None = None
        self.used, self.fresh = 0.0, False

    def _open(self) -> http.client.HTTPSConnection:
        if self.line is None or time.monotonic() - self.used > IDLE:  # the other end may have hung up meanwhile
            self.close()
            trust = trusting(self.authorities, self.url.geturl())
            self.line = http.client.HTTPSConnection(
                self.url.hostname or "", self.url.port, timeout=PATIENCE, context=trust
            )
        self.fresh = self.line.sock is None
        if self.fresh:
            self.line.connect()
            self.line.sock.setsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE, int(self.kbit * 125))
        return self.line

    def close(self) -> None:
        """End the conversation."""
        if self.line is not None:
            self.line.close()
        self.line = None

    def send(self, name: str, digest: str, sealed: bytes) -> str:
        """
        Return `stored` when the tenant has said that it has this one: by its name, and by the digest of what it stored.

        `refused` when it has said anything else of it, `away` when it cannot be asked or is not well.
        """
        said, began, size = "away", time.monotonic(), len(sealed) + AROUND
        try:
            line = self._open()
            size += GREETING if self.fresh else 0
            line.sock.settimeout(PATIENCE + size * 8 / 1000 / self.kbit)  # a narrow share takes its time
            line.request("POST", self.url.path, sealed, {"Idempotency-Key": name, "Content-Type": "application/age"})
            answer = line.getresponse()
            told = json.loads(answer.read(4096)) if answer.status in (200, 201) else {}
            if isinstance(told, dict) and (told.get("key"), told.get("sha256")) == (name, digest):
                said = "stored"
            elif answer.status < 500 and answer.status not in (404, 408, 429):
                said = "refused"
        except (OSError, http.client.HTTPException):
            said = "away"
        except (ValueError, RecursionError):
            said = "refused"
        if said != "stored":
            self.close()
        # Whatever was said of it, the line was used.
        time.sleep(max(0.0, began + size * 8 / 1000 / self.kbit - time.monotonic()))
        self.used = time.monotonic()
        return said


def deliver(spool: Spool, service: str, sending: Callable[[str, str, bytes], str], stop: threading.Event) -> None:
    """Send on in order, as fast as the way lets, and ask again ever more seldom while nobody answers."""
    wait = LEAST_WAIT
    while not stop.is_set():
        try:
            waiting = spool.next(service, time.time())
            said = sending(*waiting) if waiting else "nothing"
            if waiting and said == "stored":
                spool.delivered(waiting[0], time.time())
            elif waiting and said == "refused":
                sys.stderr.write(f"refused by {service}, and set aside: {waiting[0]}\n")
                spool.set_aside(waiting[0], time.time())
        except sqlite3.Error as error:  # a full disk: it was stored, and is asked for again
            sys.stderr.write(f"the database: {error}\n")
            said = "away"
        wait = min(MOST_WAIT, wait * 2) if said == "away" else LEAST_WAIT
        if said in ("away", "nothing"):
            stop.wait(wait)


def handler(spool: Spool) -> type[http.server.BaseHTTPRequestHandler]:
    """Return what answers the server in front."""
    most = max((place["kib"] for place in spool.places.values()), default=0) * 1024

    class Handler(http.server.BaseHTTPRequestHandler):
        # One request a conversation (HTTP/1.0): whatever follows the first is never taken for another's.
        timeout = 10
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
            except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
                self._send(400, {"reason": "intake_wrong"})
            except (sqlite3.Error, OSError, subprocess.SubprocessError) as error:  # a full disk: nothing was promised
                sys.stderr.write(f"not taken in: {type(error).__name__}\n")
                self._send(503, {"reason": "intake_full"})

        def _do(self) -> Json:
            length = int(self.headers.get("Content-Length") or 0)
            if not 0 < length <= most + 1024 or self.path != "/api/intake":
                raise RefusedError(413, "intake_large")
            source = ipaddress.ip_address(self.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip())
            if not any(source in ipaddress.ip_network(network) for network in spool.settings["kiosks"]):
                raise RefusedError(403, "intake_wrong")
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
    for service, place in spool.places.items():
        way = Way(place["url"], Path(argv[2]), place["kbit"])
        threading.Thread(target=deliver, args=(spool, service, way.send, threading.Event()), daemon=True).start()
    http.server.ThreadingHTTPServer(ADDRESS, handler(spool)).serve_forever()


if __name__ == "__main__":
    main(sys.argv[1:])
