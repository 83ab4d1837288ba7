"""
Take away what a power cut left in pieces of kept packages: `packages.py FOLDER MARK`, before nginx begins to serve.

nginx gives a file its name when it has all of it, but not when the disk has: after a power cut its end may be missing,
and whoever asks for it would get a part for ever. Looked at once after each start of the machine, which MARK remembers.
What was still being fetched when nginx was killed counts for none of its bounds, and goes at each start.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

KEPT = re.compile(r"[0-9a-f]{32}")
FETCHING = re.compile(r"[0-9a-f]{32}\.[0-9]{10}")
HEAD = 16384  # bytes: nginx's own notes and the answer's header are in fewer
LENGTH = re.compile(rb"^Content-Length: *([0-9]+)\r$", re.MULTILINE | re.IGNORECASE)


def whole(path: Path) -> bool:
    """Return whether a kept file has as many bytes as the mirror said."""
    with path.open("rb") as stream:
        head = stream.read(HEAD)
    begin = head.find(b"\nKEY: ")
    end = head.find(b"\r\n\r\n", begin)
    length = LENGTH.search(head, begin, end + 2) if 0 <= begin < end else None
    return length is not None and path.stat().st_size == end + 4 + int(length[1])


def named(folder: Path, name: re.Pattern[str]) -> list[Path]:
    """Return the files below a folder that have a name of a form."""
    return [path for path in folder.rglob("*") if name.fullmatch(path.name) and path.is_file()]


def main(argv: list[str]) -> int:
    """Take them away, and say how many there were."""
    folder, mark = map(Path, argv)
    for path in named(folder, FETCHING):
        path.unlink()
    if mark.exists():
        return 0
    found = [path for path in named(folder, KEPT) if not whole(path)]
    for path in found:
        path.unlink()
    if found:
        print(f"{len(found)} kept files were not whole and are fetched again", flush=True)
    mark.touch()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
