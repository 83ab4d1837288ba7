"""
Numbers of waiting citizens: drawn, called and shown without anything outside the mall: `queue.py SETTINGS DATABASE`.

Kept in SQLite, on disk before an answer is given: a number that was told is never given again, whatever happens.
Whoever asks names his request by a key of his own; asked twice, because an answer was lost, the same number is told
again. A day never goes back: with a clock that was reset, numbers go on where they were.
"""

from __future__ import annotations

import datetime
import http.server
import ipaddress
import json
import re
import runpy
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

ADDRESS = ("127.0.0.1", 8081)
KEY = re.compile(r"[A-Za-z0-9-]{8,64}")
MOST_BYTES = 4096
KEPT_DAYS = 400  # a yearly evaluation can still count them
LONGEST_PAUSE = 40  # days; after a longer jump of the clock nothing is thrown away
SHOWN = 8  # calls on the board
LINGERS = 900  # seconds that a call stays on the board of a mall that has closed
SCHEMA = """
CREATE TABLE IF NOT EXISTS tickets (
    key TEXT PRIMARY KEY, day TEXT NOT NULL, office TEXT NOT NULL, number INTEGER NOT NULL, drawn REAL NOT NULL,
    UNIQUE (day, office, number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS calls (
    key TEXT PRIMARY KEY, ticket TEXT NOT NULL UNIQUE REFERENCES tickets (key), counter INTEGER NOT NULL,
    called REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS recalls (
    ticket TEXT PRIMARY KEY REFERENCES tickets (key), key TEXT NOT NULL UNIQUE, at REAL NOT NULL, times INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS waiting ON tickets (day, office, number);
"""


class RefusedError(Exception):
    """A request that cannot be done, with its code of HTTP and the key of its sentence."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


def sibling(name: str) -> dict[str, Any]:
    """Return what another program of this folder defines: the folder itself must not be searched (`calendar`)."""
    return runpy.run_path(str(Path(__file__).with_name(f"{name}.py")))


class Queue:
    """
    The numbers of a mall.

    Attributes:
        settings: `timezone`, `not_before` (a date), `openings` and `closed_on` (of `hours`), `assignments` (counter,
            office, on), and `offices` by name: `letter`, `title`, `networks` (whose machines may call for it);
            `callers` (the counter that a screen of the mall's stands at, by its address); `kiosks` (networks that may
            draw); `satisfaction` (`elements` and `texts` of the survey).
    """

    def __init__(self, settings: dict[str, Any], database: Path | str) -> None:
        self.settings = settings
        self.claims = sibling("calendar")["claims"]
        self.opens = sibling("hours")["opens"]
        self.lock = threading.Lock()
        # A program that was killed leaves its journal; the next one reads it. FULL: what is told is on disk.
        self.base = sqlite3.connect(database, check_same_thread=False, isolation_level=None)
        self.base.execute("PRAGMA journal_mode = WAL")
        self.base.execute("PRAGMA synchronous = FULL")
        self.base.executescript(SCHEMA)
        self.satisfaction = sibling("satisfaction")["Satisfaction"](self)

    def day(self, now: float) -> datetime.date:
        """
        Return the mall's day: never one before the last that a number was drawn or the survey was answered on.

        A day more than KEPT_DAYS ahead was no day: the clock was, and when it is right again it counts.
        """
        today = datetime.datetime.fromtimestamp(now, ZoneInfo(self.settings["timezone"])).date()
        today = max(today, datetime.date.fromisoformat(self.settings["not_before"]))
        return max(today, self.last(today + datetime.timedelta(days=KEPT_DAYS)) or today)

    def last(self, most: datetime.date = datetime.date.max) -> datetime.date | None:
        """Return the last day, up to one, of which anything is kept."""
        (last,) = self.base.execute(
            "SELECT max(day) FROM (SELECT max(day) AS day FROM tickets WHERE day <= ?1 "
            "UNION ALL SELECT max(day) FROM answers WHERE day <= ?1)",
            (str(most),),
        ).fetchone()
        return last and datetime.date.fromisoformat(last)

    def counters(self, day: datetime.date) -> dict[int, str]:
        """Return the offices that have a counter on a day, by counter."""
        assignments = self.settings["assignments"]
        found = {a["counter"]: self.claims(assignments, a["counter"], day) for a in assignments}
        return {counter: offices[0] for counter, offices in sorted(found.items()) if offices}

    def own(self, source: str, day: datetime.date) -> dict[int, str]:
        """Return the counters that a machine may call to on a day: those of its office, or the one it stands at."""
        stands_at = self.settings["callers"].get(str(ipaddress.ip_address(source)))
        return {
            counter: office
            for counter, office in self.counters(day).items()
            if counter == stands_at or within(source, self.settings["offices"][office]["networks"])
        }

    def draw(self, office: str, key: str, now: float) -> dict[str, Any]:
        """Return the next number of an office, or the one that was drawn with this key."""
        _check(key)
        with self.lock, self.base:
            self.base.execute("BEGIN IMMEDIATE")
            row = self.base.execute("SELECT day, office, number FROM tickets WHERE key = ?", (key,)).fetchone()
            if row is None:
                day, before = self.day(now), self.last()
                if office not in self.counters(day).values():
                    raise RefusedError(409, "queue_not_today")
                (last,) = self.base.execute(
                    "SELECT coalesce(max(number), 0) FROM tickets WHERE day = ? AND office = ?", (str(day), office)
                ).fetchone()
                row = (str(day), office, last + 1)
                self.base.execute("INSERT INTO tickets VALUES (?, ?, ?, ?, ?)", (key, *row, now))
                if last == 0:
                    self.forget(day, before)
            ahead = self.base.execute(
                "SELECT count(*) FROM tickets t LEFT JOIN calls c ON c.ticket = t.key "
                "WHERE t.day = ? AND t.office = ? AND t.number < ? AND c.key IS NULL",
                row,
            ).fetchone()[0]
        title = self.settings["offices"][row[1]]["title"]
        return {"ticket": self.name(row[1], row[2]), "office": row[1], "title": title, "day": row[0], "ahead": ahead}

    def call(self, counter: int, key: str, source: str, now: float) -> dict[str, Any]:
        """
        Call the next number to a counter, or tell again whom this key has called.

        Only a machine of the office that has the counter today may, or the mall's screen that stands at it.
        """
        _check(key)
        with self.lock, self.base:
            self.base.execute("BEGIN IMMEDIATE")
            day, office = self._at(counter, source, now)
            row = self.base.execute(
                "SELECT t.office, t.number FROM calls c JOIN tickets t ON t.key = c.ticket WHERE c.key = ?", (key,)
            ).fetchone()
            if row is None:
                next_one = self.base.execute(
                    "SELECT t.office, t.number, t.key FROM tickets t LEFT JOIN calls c ON c.ticket = t.key "
                    "WHERE t.day = ? AND t.office = ? AND c.key IS NULL ORDER BY t.number LIMIT 1",
                    (str(day), office),
                ).fetchone()
                if next_one is None:
                    raise RefusedError(404, "queue_empty")
                row = next_one[:2]
                self.base.execute("INSERT INTO calls VALUES (?, ?, ?, ?)", (key, next_one[2], counter, now))
        return {"ticket": self.name(*row), "counter": counter}

    def recall(self, counter: int, key: str, source: str, now: float) -> dict[str, Any]:
        """
        Call the last number of a counter once more, or tell again whom this key has called.

        When it was first called stays as it is: that is how long somebody waited.
        """
        _check(key)
        with self.lock, self.base:
            self.base.execute("BEGIN IMMEDIATE")
            day, office = self._at(counter, source, now)
            row = self.base.execute(
                "SELECT t.office, t.number FROM recalls r JOIN tickets t ON t.key = r.ticket WHERE r.key = ?", (key,)
            ).fetchone()
            if row is None:
                last = self._last_call(counter, office, day)
                if last is None:
                    raise RefusedError(404, "queue_not_called")
                row = last[:2]
                # One line for each number, however often it is called.
                self.base.execute(
                    "INSERT INTO recalls VALUES (?1, ?2, ?3, 1) "
                    "ON CONFLICT (ticket) DO UPDATE SET key = ?2, at = ?3, times = times + 1",
                    (last[2], key, now),
                )
        return {"ticket": self.name(*row), "counter": counter}

    def _at(self, counter: int, source: str, now: float) -> tuple[datetime.date, str]:
        day = self.day(now)
        office = self.own(source, day).get(counter)
        if office is None:
            raise RefusedError(403, "queue_not_yours")
        return day, office

    def _last_call(self, counter: int, office: str, day: datetime.date) -> tuple[str, int, str, int] | None:
        """Return office, number and key of what a counter has called last on a day, and how often again."""
        found: tuple[str, int, str, int] | None = self.base.execute(
            "SELECT t.office, t.number, t.key, coalesce(r.times, 0) FROM calls c JOIN tickets t ON t.key = c.ticket "
            "LEFT JOIN recalls r ON r.ticket = t.key "
            "WHERE t.day = ? AND t.office = ? AND c.counter = ? ORDER BY t.number DESC LIMIT 1",
            (str(day), office, counter),
        ).fetchone()
        return found

    def desk(self, source: str, now: float) -> dict[str, Any]:
        """Return what an officer sees: the counters that his machine may call to today, and none of anybody else's."""
        with self.lock:
            day = self.day(now)
            waiting = self._waiting(day)
            counters = []
            for counter, office in self.own(source, day).items():
                last = self._last_call(counter, office, day)
                counters.append(
                    {
                        "counter": counter,
                        "title": self.settings["offices"][office]["title"],
                        "waiting": waiting.get(office, 0),
                        "last": last and {"ticket": self.name(*last[:2]), "again": last[3]},
                    }
                )
        return {"mall": self.settings["mall"], "counters": counters, "texts": self.settings["texts"]}

    def _waiting(self, day: datetime.date) -> dict[str, int]:
        return dict(
            self.base.execute(
                "SELECT t.office, count(*) FROM tickets t LEFT JOIN calls c ON c.ticket = t.key "
                "WHERE t.day = ? AND c.key IS NULL GROUP BY t.office",
                (str(day),),
            ).fetchall()
        )

    def board(self, now: float) -> dict[str, Any]:
        """
        Return what the hall sees: the last calls, newest first, and how many wait for each office of today.

        When the mall has closed, when it opens again, and calls only for those who are still served.
        """
        opens = self.opens(self.settings, datetime.datetime.fromtimestamp(now, ZoneInfo(self.settings["timezone"])))
        with self.lock:
            day = self.day(now)
            calls = self.base.execute(
                "SELECT t.office, t.number, c.counter, coalesce(r.at, c.called) AS told, coalesce(r.times, 0) "
                "FROM calls c JOIN tickets t ON t.key = c.ticket LEFT JOIN recalls r ON r.ticket = t.key "
                "WHERE t.day = ? ORDER BY told DESC, t.number DESC LIMIT ?",
                (str(day), SHOWN),
            ).fetchall()
            waiting = self._waiting(day)
        today = self.counters(day)
        if opens and not waiting and not any(0 <= now - call[3] < LINGERS for call in calls):
            calls = []
        return {
            "day": str(day),
            "opens": opens,
            "mall": self.settings["mall"],
            # An office that has left the mall today has left its board too.
            "calls": [
                {"ticket": self.name(o, n), "counter": c, "at": at, "again": again}
                for o, n, c, at, again in calls
                if o in self.settings["offices"]
            ],
            "offices": [
                {
                    "name": office,
                    "title": self.settings["offices"][office]["title"],
                    "waiting": waiting.get(office, 0),
                    "counters": [c for c, o in today.items() if o == office],
                }
                for office in dict.fromkeys(today.values())
            ],
            "texts": self.settings["texts"],
        }

    def name(self, office: str, number: int) -> str:
        """Return what stands on a ticket, such as A007."""
        return f"{self.settings['offices'][office]['letter']}{number:03}"

    def forget(self, day: datetime.date, before: datetime.date | None) -> None:
        """Throw away what is too old on a day; nothing when the day before it is so far away that the clock may lie."""
        if before is None or day - before >= datetime.timedelta(days=LONGEST_PAUSE):
            return
        oldest = str(day - datetime.timedelta(days=KEPT_DAYS))
        for table in ("calls", "recalls"):
            gone = f"DELETE FROM {table} WHERE ticket IN (SELECT key FROM tickets WHERE day < ?)"  # noqa: S608  of two
            self.base.execute(gone, (oldest,))
        self.base.execute("DELETE FROM tickets WHERE day < ?", (oldest,))
        self.base.execute("DELETE FROM answers WHERE day < ?", (oldest,))


def within(source: str, networks: Iterable[str]) -> bool:
    """Return whether an address is of one of some networks; raise ValueError for what is no address."""
    address = ipaddress.ip_address(source)
    return any(address in ipaddress.ip_network(network) for network in networks)


def _check(key: str) -> None:
    if not KEY.fullmatch(key):
        raise RefusedError(400, "queue_wrong")


def handler(queue: Queue) -> type[http.server.BaseHTTPRequestHandler]:
    """Return what answers the server in front, which tells whose request it is (X-Forwarded-For)."""

    class Handler(http.server.BaseHTTPRequestHandler):
        # One request a conversation (HTTP/1.0): whatever follows the first is never taken for another's.
        timeout = 10
        wbufsize = -1  # an answer in one piece: in two, the second waits 40 ms for a receipt of the first

        def do_GET(self) -> None:
            if self.path == "/api/board":
                self._send(200, queue.board(time.time()))
            elif self.path == "/api/counters":
                self._answer(200, lambda: queue.desk(self._source(), time.time()))
            elif self.path == "/api/satisfaction":
                self._send(200, queue.satisfaction.state())
            else:
                self._send(404, {"reason": "queue_wrong"})

        def do_POST(self) -> None:
            self._answer(201, self._do)

        def _source(self) -> str:
            return str(self.headers.get("X-Forwarded-For", "")).rpartition(",")[2].strip()

        def _answer(self, code: int, do: Callable[[], dict[str, Any]]) -> None:
            try:
                self._send(code, do())
            except RefusedError as refused:
                self._send(refused.code, {"reason": refused.reason})
            except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
                self._send(400, {"reason": "queue_wrong"})
            except sqlite3.Error as error:  # a full disk: nothing was promised
                sys.stderr.write(f"the database: {error}\n")
                self._send(503, {"reason": "queue_full"})

        def _do(self) -> dict[str, Any]:
            length = int(self.headers.get("Content-Length") or 0)
            if not 0 < length <= MOST_BYTES:
                raise RefusedError(413, "queue_wrong")
            asked = json.loads(self.rfile.read(length))
            source = self._source()
            if self.path in ("/api/tickets", "/api/satisfaction"):
                if not within(source, queue.settings["kiosks"]):
                    raise RefusedError(403, "queue_not_yours")
                office, key = str(asked["office"]), str(asked["key"])
                if self.path == "/api/tickets":
                    return queue.draw(office, key, time.time())
                _check(key)
                if not queue.satisfaction.keep(office, key, asked["answers"], time.time()):
                    raise RefusedError(507, "queue_full")
                return {"kept": True}
            if self.path in ("/api/calls", "/api/recalls"):
                act = queue.call if self.path == "/api/calls" else queue.recall
                return act(int(asked["counter"]), str(asked["key"]), source, time.time())
            raise RefusedError(404, "queue_wrong")

        def _send(self, code: int, body: dict[str, Any]) -> None:
            words = json.dumps(body).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(words)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(words)

        def log_message(self, format: str, *args: Any) -> None:
            """Keep no record of who asked."""

    return Handler


def main(argv: list[str]) -> None:
    """Serve until stopped."""
    queue = Queue(json.loads(Path(argv[0]).read_text()), Path(argv[1]))
    http.server.ThreadingHTTPServer(ADDRESS, handler(queue)).serve_forever()


if __name__ == "__main__":
    main(sys.argv[1:])
