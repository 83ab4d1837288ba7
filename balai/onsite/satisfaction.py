"""
The satisfaction survey of a mall, a part of its queue: four steps for each of nine elements, and nobody's name.

What is kept is the day, the office and the answers; not the time, by which a clerk could tell whom he had served.
Each citizen's answers have a key of the page's own: sent twice, because a receipt was lost, they count once.
"""

from __future__ import annotations

import json
from typing import Any

STEPS = 4
MOST_A_DAY = 1000  # more than a large mall has visitors: whoever presses on and on does not fill the disk
SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY, day TEXT NOT NULL, office TEXT NOT NULL, given TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS answered ON answers (day);
"""


class Satisfaction:
    """The answers that a mall's citizens gave, in the queue's own database and by its days."""

    def __init__(self, queue: Any) -> None:
        self.queue = queue
        queue.base.executescript(SCHEMA)

    def state(self) -> dict[str, Any]:
        """Return what the page shows."""
        settings = self.queue.settings
        offices = [{"name": name, "title": office["title"]} for name, office in settings["offices"].items()]
        return {"mall": settings["mall"], "offices": offices, **settings["satisfaction"]}

    def keep(self, office: str, key: str, given: Any, now: float) -> bool:
        """
        Keep what one citizen answered, of an office or of the mall as a whole (""); return whether there was room.

        Raises:
            ValueError: An answer is missing, is none of the four, or is about somebody else.
        """
        settings = self.queue.settings
        wanted = {element["name"] for element in settings["satisfaction"]["elements"]}
        steps = isinstance(given, dict) and all(type(step) is int and 1 <= step <= STEPS for step in given.values())
        if not steps or set(given) != wanted or office not in ("", *settings["offices"]):
            raise ValueError(office)
        base = self.queue.base
        with self.queue.lock, base:
            base.execute("BEGIN IMMEDIATE")
            if base.execute("SELECT 1 FROM answers WHERE key = ?", (key,)).fetchone():
                return True
            day, before = self.queue.day(now), self.queue.last()
            (today,) = base.execute("SELECT count(*) FROM answers WHERE day = ?", (str(day),)).fetchone()
            if today >= MOST_A_DAY:
                return False
            words = json.dumps(given, sort_keys=True)
            base.execute("INSERT INTO answers VALUES (?, ?, ?, ?)", (key, str(day), office, words))
            if today == 0:
                self.queue.forget(day, before)
        return True
