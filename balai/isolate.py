"""
A data centre that is cut off, and joined again: one line of its file, and what follows from it.

While the line is there, malls have no peer in that data centre, its gateways take nothing from malls, no stack of it is
changed but the foundations that say so, and nobody counts on its machines. What has run there goes on running.
"""

from __future__ import annotations

import datetime
import json
import re
from pathlib import Path

from balai import yamlfile
from balai.errors import DataError
from balai.estate import Estate
from balai.onboarding import Change
from balai.reading import wrong

LINE = re.compile(r"^isolated: .*\n", re.MULTILINE)


def isolated(root: Path, name: str, reason: str, today: datetime.date) -> Change:
    """
    Return what cuts a data centre off.

    Raises:
        DataError: It is cut off already.
    """
    path, text = _read(root, name)
    if LINE.search(text):
        document = yamlfile.read(path)
        raise DataError([wrong(document, ("isolated",), name, "it is isolated already", "Undo it, or leave it so.")])
    line = f'isolated: {{since: "{today}", reason: {json.dumps(reason, ensure_ascii=False)}}}\n'
    return Change(name=name, files={f"data_centres/{name}.yml": text + line}, read={f"data_centres/{name}.yml": text})


def joined(root: Path, name: str) -> Change:
    """
    Return what joins a data centre again.

    Raises:
        DataError: It is not cut off.
    """
    path, text = _read(root, name)
    if not LINE.search(text):
        document = yamlfile.read(path)
        raise DataError([wrong(document, ("name",), name, "it is not isolated", "There is nothing to undo.")])
    return Change(
        name=name, files={f"data_centres/{name}.yml": LINE.sub("", text)}, read={f"data_centres/{name}.yml": text}
    )


def to_run(estate: Estate, name: str) -> tuple[list[str], list[str]]:
    """Return what brings the line into force: stacks of foundations there, and every mall that runs."""
    stacks = [f"foundation.{c.name}" for c in estate.clusters.values() if c.data_centre == name]
    return stacks, [s.name for s in estate.sites.values() if s.status == "active"]


def _read(root: Path, name: str) -> tuple[Path, str]:
    path = root / "data_centres" / f"{name}.yml"
    text = path.read_text(encoding="utf-8")
    return path, text if text.endswith("\n") else text + "\n"
