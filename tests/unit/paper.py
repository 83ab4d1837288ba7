"""
A stand-in for a ticket printer, which records what it is told.

It is the other end of a pseudo terminal, for a line printer's device, and answers DLE EOT as Epson's manual of ESC/POS has
it (recalled); that real printers do was not tried, and its paper is bytes.
"""

from __future__ import annotations

import os
import re
import select
import threading
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager

from balai.onsite import printer


class Paper:
    """
    One printer.

    Attributes:
        at: Where it is.
        conditions: Its bits of status, by the number that asks for them; None when it tells none.
        took: What it was told, without questions of status.
        gate: While it is not set, it takes nothing.
    """

    def __init__(self, at: str, line: int, conditions: dict[int, int] | None) -> None:
        self.at, self.line, self.conditions = at, line, conditions
        self.took, self.gate, self.ends = b"", threading.Event(), False
        self.gate.set()
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        while not self.ends:
            self.gate.wait()
            if not select.select([self.line], [], [], 0.05)[0]:
                continue
            try:
                told = os.read(self.line, 64)
            except OSError:  # nobody has it open
                time.sleep(0.02)
                continue
            for which in re.findall(rb"\x10\x04(.)", told, re.DOTALL):
                if self.conditions is not None:
                    os.write(self.line, bytes((0x12 | self.conditions.get(which[0], 0),)))
            self.took += re.sub(rb"\x10\x04.", b"", told, flags=re.DOTALL)

    @property
    def tickets(self) -> int:
        """How many it has cut off."""
        return self.took.count(printer.CUT)


@contextmanager
def device(conditions: dict[int, int] | None = None) -> Iterator[Paper]:
    """Give a stand-in for a line printer's device; what was written to it stays readable when nobody has it open."""
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    paper = Paper(os.ttyname(theirs), ours, conditions)
    yield paper
    paper.ends = True
    paper.gate.set()
    paper.thread.join(2)
    os.close(ours)
    os.close(theirs)
