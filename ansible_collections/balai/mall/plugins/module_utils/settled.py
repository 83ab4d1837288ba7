"""Files of a machine as they are to be: which differ, how, and what their own programs say of them."""

from __future__ import annotations

import contextlib
import errno
import shlex
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FILE = {
    "dest": {"type": "path", "required": True},
    "content": {"type": "str"},
    "mode": {"type": "str", "default": "0644"},
    "validate": {"type": "str"},
}


def current(path: Path) -> tuple[str | None, int, int, int]:
    """Return a file's text, mode, owner and group; no text when it is not there."""
    try:
        status = path.stat()
        text = path.read_text(errors="replace")
    except FileNotFoundError:
        return None, 0, 0, 0
    return text, stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid


def as_it_is(item: dict[str, Any]) -> bool:
    """Return whether a file, or a link, is what it is to be: root's, with this text and these permissions."""
    dest = Path(item["dest"])
    if item.get("link"):
        return dest.is_symlink() and str(dest.readlink()) == item["link"]
    return current(dest) == (item["content"], int(item["mode"], 8), 0, 0)


def differing(files: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the files that are not as they are to be."""
    return [item for item in files if not as_it_is(item)]


def difference(files: list[dict[str, Any]]) -> list[dict[str, str]]:
    """Return what --diff shows of files that will be written."""
    shown = []
    for item in files:
        dest = Path(item["dest"])
        if item.get("link"):
            before = f"{dest.readlink()}\n" if dest.is_symlink() else current(dest)[0] or ""
            after = f"{item['link']}\n"
        else:
            before, after = current(dest)[0] or "", item["content"]
        shown.append({"before": before, "after": after, "before_header": str(dest), "after_header": str(dest)})
    return shown


def refuse_invalid(module: Any, files: list[dict[str, Any]]) -> None:
    """Fail when a file's own validation refuses it, in check mode too; nothing has been touched then."""
    refused = []
    for item in (f for f in files if f["validate"]):
        if module.check_mode and module.get_bin_path(shlex.split(item["validate"])[0]) is None:
            continue  # the real run will have installed it by then
        with tempfile.NamedTemporaryFile("w", suffix=Path(item["dest"]).suffix) as candidate:
            candidate.write(item["content"])
            candidate.flush()
            argv = [part.replace("%s", candidate.name) for part in shlex.split(item["validate"])]
            rc, out, err = module.run_command(argv)
        if rc != 0:
            refused.append(f"{item['dest']} would be refused: {(err or out).strip()}")
    if refused:
        module.fail_json(msg="\n".join(refused))


def holds(module: Any, command: str) -> bool:
    """Return whether a shell command that asks the machine succeeds; an empty one always does."""
    return not command or module.run_command(["/bin/sh", "-c", command])[0] == 0


@contextlib.contextmanager
def room(module: Any) -> Iterator[None]:
    """Fail in words when a disk is full; no file is torn, and the next run does what is left."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        module.fail_json(
            msg=(
                f"Diska penuh ({error.filename or 'df -h'}): perubahan {module.params['name']} belum selesai. "
                "Kosongkan tempat (sudo journalctl --vacuum-size=100M; sudo apt-get clean), lalu jalankan lagi. / "
                f"The disk is full: the change {module.params['name']} is not finished. Make room, and run again."
            )
        )
