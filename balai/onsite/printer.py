"""
The ticket printer of a kiosk: a number on paper, and what keeps one from it.

ESC/POS over a line printer's device or a port of the kiosk's own. Nobody waits for paper longer than LONGEST: a
thread of its own writes, one at a time, and one that a driver holds for ever holds up nothing but the printer. What was
asked for once is printed once, however often the question comes; only another attempt is another piece of paper.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import socket
import sys
import textwrap
import threading
import time
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# `works` and, of a number, `printed` are good; all others keep it from paper. `fault` is the printer's own word.
PATIENCE, ANSWERS = 3.0, 0.5  # seconds for all that is written, and until a status is given up
LONGEST = 3 * PATIENCE + 4 * ANSWERS  # the wait for whoever is before, for one's own turn, and for what became of it
EVERY = 15.0  # seconds between two looks
KEPT = 32  # attempts whose outcome is told again
TICKET = re.compile(r"[A-Z]{1,2}[0-9]{3,6}")
DAY = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
MOST_WIDE = 6  # times as wide and high as other letters
START, CENTRED, CUT = b"\x1b@", b"\x1ba\x01", b"\x1bd\x04\x1dVB\x00"
ASK = b"\x10\x04"  # DLE EOT n: answered with one byte, also by a printer that is offline
OFFLINE, PAPER = 2, 4
FIXED, FIXED_BITS = 0x93, 0x12  # bits by which its answer is known from anything else
COVER_OPEN, OUT_OF_PAPER, ENDED, ERROR = 0x04, 0x60, 0x20, 0x40


def plain(text: object) -> str:
    """Return a text in the letters that every printer has; nothing in it can be a command."""
    letters = unicodedata.normalize("NFKD", str(text)).encode("ascii", "ignore").decode()
    return "".join(letter for letter in letters if letter.isprintable())


def ticket(number: dict[str, Any], mall: str, columns: int, texts: dict[str, dict[str, str]]) -> bytes:
    """
    Return what is printed of a number as the queue told it: itself, office, day, how many wait, and nobody's name.

    Raises:
        ValueError: It is not a number as the queue tells them.
    """
    name, day = TICKET.fullmatch(str(number["ticket"])), DAY.fullmatch(str(number["day"]))
    if not name or not day:
        raise ValueError(f"no number: {number}")
    wide = min(MOST_WIDE, columns // len(name[0])) - 1
    ahead = texts["screen_ticket_ahead"]["id"].replace("{ahead}", str(int(number["ahead"])))

    def lines(*parts: str) -> bytes:
        wrapped = (line for part in parts for line in textwrap.wrap(plain(part)[:200], columns) or [""])
        return "".join(f"{line}\n" for line in wrapped).encode()

    return b"".join(
        (
            START,
            CENTRED,
            lines(mall, "", texts["screen_ticket"]["id"]),
            bytes((0x1D, 0x21, wide << 4 | wide)),
            f"{name[0]}\n".encode(),
            b"\x1d!\x00",
            lines(number["title"], "-".join(reversed(day.groups())), "", ahead, texts["screen_ticket_keep"]["id"]),
            CUT,
        )
    )


@contextlib.contextmanager
def opened(at: str) -> Iterator[int]:
    """Open a printer, `/dev/…` or `address:port`, so that no word to it waits."""
    if at.startswith("/"):
        line = os.open(at, os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        try:
            yield line
        finally:
            os.close(line)
        return
    host, _, port = at.rpartition(":")
    with socket.create_connection((host, int(port)), PATIENCE) as way:
        way.setblocking(False)
        yield way.fileno()
        way.shutdown(socket.SHUT_WR)


def ready(line: int, event: int, until: float) -> None:
    """Wait until a printer takes or says something; raise TimeoutError when it does not."""
    look = select.poll()
    look.register(line, event)
    if not look.poll(max(0.0, until - time.monotonic()) * 1000):
        raise TimeoutError


def send(line: int, words: bytes, until: float) -> None:
    """Write everything, and wait until it was taken: what is on its way when a device is closed is lost."""
    while words:
        ready(line, select.POLLOUT, until)
        with contextlib.suppress(BlockingIOError):
            words = words[os.write(line, words) :]
    ready(line, select.POLLOUT, until)


def status(line: int, which: int, until: float) -> int:
    """Return one of a printer's bytes of status; 0, nothing wrong, when it tells none."""
    send(line, ASK + bytes((which,)), until)
    with contextlib.suppress(TimeoutError, BlockingIOError):
        ready(line, select.POLLIN, time.monotonic() + ANSWERS)
        told = [byte for byte in os.read(line, 64) if byte & FIXED == FIXED_BITS]
        return told[-1] if told else 0
    return 0


def condition(line: int, until: float) -> str:
    """Return `works`, `paper` (none is left, or the cover is open) or `fault`, as far as a printer tells."""
    with contextlib.suppress(BlockingIOError):
        os.read(line, 4096)  # what nobody asked for
    if status(line, PAPER, until) & OUT_OF_PAPER:
        return "paper"
    offline = status(line, OFFLINE, until)
    if offline & (COVER_OPEN | ENDED):
        return "paper"
    return "fault" if offline & ERROR else "works"


class Job:
    """A ticket on its way."""

    def __init__(self) -> None:
        self.outcome, self.done = "stuck", threading.Event()


class Printer:
    """One printer, which one thread at a time speaks with."""

    def __init__(self, at: str) -> None:
        self.at = at
        self.line = threading.Lock()  # held while somebody speaks with it
        self.lock, self.jobs = threading.Lock(), dict[tuple[str, int], Job]()
        self.error = ""

    def print(self, key: str, attempt: int, words: bytes) -> str:
        """Print something once for a key and an attempt; return `printed`, or what kept it from paper."""
        with self.lock:
            job = self.jobs.get((key, attempt))
            if job is None:
                job = self.jobs[key, attempt] = Job()
                for old in list(self.jobs)[:-KEPT]:
                    del self.jobs[old]
                threading.Thread(target=self._settle, args=(job, words), daemon=True).start()
        job.done.wait(LONGEST)
        return job.outcome

    def look(self, seen: Path) -> None:
        """Write down what the printer says of itself, for `balai-mall status`."""
        job = Job()
        threading.Thread(target=self._settle, args=(job, b""), daemon=True).start()
        job.done.wait(LONGEST)
        new = seen.with_name(f"{seen.name}.new")
        new.write_text(job.outcome)
        new.replace(seen)

    def _settle(self, job: Job, words: bytes) -> None:
        """Write, and know how it ended; the thread that is in the way may never go."""
        if self.line.acquire(timeout=PATIENCE):
            try:
                job.outcome = self._speak(words)
            finally:
                self.line.release()
        job.done.set()

    def _speak(self, words: bytes) -> str:
        error = ""
        try:
            with opened(self.at) as line:
                found = condition(line, time.monotonic() + PATIENCE)
                if found == "works" and words:
                    send(line, words, time.monotonic() + PATIENCE)
                    found = condition(line, time.monotonic() + PATIENCE).replace("works", "printed")
        except TimeoutError:
            found = "stuck"
        except OSError as fault:
            found, error = "away", str(fault)
        if error not in ("", self.error):  # told once, and not at every look
            sys.stderr.write(f"{self.at}: {error}\n")
        self.error = error
        return found
