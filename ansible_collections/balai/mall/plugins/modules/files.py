#!/usr/bin/python
"""
Bring many files of a machine to what they are to be, and put them into force, in one round trip.

What is still to be put into force is on disk before the first file is touched, so that a run which was
killed between a file and its command is carried on by the next one.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.balai.mall.plugins.module_utils.settled import (
    FILE,
    difference,
    differing,
    holds,
    refuse_invalid,
    room,
)

DOCUMENTATION = r"""
module: files
short_description: Many files and what puts them into force, in one task
description:
  - Writes files and links that are not as they are to be, all root's, each at once as a whole; makes their folders.
  - Then runs the commands of what changed, and of what does not hold although no file differs.
  - A change that could cut the connection belongs to M(balai.mall.cord).
options:
  name:
    description: Name of this set; what it still has to put into force is kept under it.
    type: str
    required: true
  files:
    description: The files, as they are to be.
    type: list
    elements: dict
    default: []
    suboptions:
      dest: {description: Absolute path., type: path, required: true}
      content: {description: The whole text; this or O(files[].link)., type: str}
      link: {description: What a symbolic link shows at., type: str}
      mode: {description: Permissions., type: str, default: "0644"}
      validate: {description: "Command that refuses a wrong file; %s is its place.", type: str}
      backup: {description: Whether a copy of what was there is kept beside it., type: bool, default: false}
      needs: {description: Names of the effects that the file counts for., type: list, elements: str, default: []}
  effects:
    description: What puts files into force; run once, in this order.
    type: list
    elements: dict
    default: []
    suboptions:
      name: {description: Name., type: str, required: true}
      command: {description: Shell command., type: str, required: true}
      holds:
        description: Shell command that succeeds while nothing needs doing; asked in check mode too.
        type: str
        default: ""
author: balai
"""
EXAMPLES = r"""
- name: Journal is kept for a year
  balai.mall.files:
    name: journal
    files:
      - dest: /etc/systemd/journald.conf.d/60-balai.conf
        content: "{{ lookup('ansible.builtin.template', 'journald.conf.j2') }}"
        needs: [journald]
    effects:
      - {name: journald, command: systemctl restart systemd-journald}
"""
RETURN = r"""
written:
  description: Paths that were written, or would be.
  returned: always
  type: list
  elements: str
effects:
  description: Names of the effects whose commands were run, or would be.
  returned: always
  type: list
  elements: str
"""

HOME = Path("/var/lib/balai/files")


def lasting(path: Path, text: str) -> None:
    """Write a file as a whole: after a power cut there is the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.balai-new")
    with new.open("w") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    new.rename(path)


def write(module: AnsibleModule, item: dict[str, Any]) -> None:
    """Put one file or link in its place."""
    dest = Path(item["dest"])
    dest.parent.mkdir(parents=True, exist_ok=True)
    if item["backup"] and dest.exists():
        module.backup_local(str(dest))
    new = dest.with_name(f"{dest.name}.balai-new")
    new.unlink(missing_ok=True)
    if item["link"]:
        new.symlink_to(item["link"])
    else:
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as stream:
            stream.write(item["content"])
            stream.flush()
            os.fchmod(stream.fileno(), int(item["mode"], 8))
            os.fsync(stream.fileno())
    new.rename(dest)


def main() -> None:
    """Run the module."""
    more = {"link": {"type": "str"}, "backup": {"type": "bool", "default": False}}
    needs = {"needs": {"type": "list", "elements": "str", "default": []}}
    effect = {
        "name": {"type": "str", "required": True},
        "command": {"type": "str", "required": True},
        "holds": {"type": "str", "default": ""},
    }
    file = {"type": "list", "elements": "dict", "options": {**FILE, **more, **needs}, "default": []}
    file["required_one_of"], file["mutually_exclusive"] = [("content", "link")], [("content", "link")]
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "files": file,
            "effects": {"type": "list", "elements": "dict", "options": effect, "default": []},
        },
        supports_check_mode=True,
    )
    effects = module.params["effects"]
    stray = {name for f in module.params["files"] for name in f["needs"]} - {e["name"] for e in effects}
    if stray:
        module.fail_json(msg=f"No effect is named {', '.join(sorted(stray))}.")
    files = differing(module.params["files"])
    refuse_invalid(module, files)
    note = HOME / module.params["name"]
    due = {name for f in files for name in f["needs"]} | set(note.read_text().split() if note.exists() else [])
    due |= {e["name"] for e in effects if not holds(module, e["holds"])}
    result = {
        "changed": bool(files or due),
        "written": [f["dest"] for f in files],
        "effects": [e["name"] for e in effects if e["name"] in due],
        "diff": difference(files),
    }
    if not result["changed"] or module.check_mode:
        module.exit_json(**result)
    with room(module):
        lasting(note, " ".join(sorted(due)))
        os.sync()  # before the first file, also where the two lie on different disks
        for item in files:
            write(module, item)
        os.sync()
    for item in (e for e in effects if e["name"] in due):
        rc, out, err = module.run_command(["/bin/sh", "-c", item["command"]])
        if rc == 0 and not holds(module, item["holds"]):
            rc, err = 1, f"it still does not hold: {item['holds']}"
        if rc != 0:
            module.fail_json(msg=f"{item['name']} could not be put into force: {(err or out).strip()}", **result)
    note.unlink()
    module.exit_json(**result)


if __name__ == "__main__":
    main()
