#!/usr/bin/python
"""
Change what could cut the cord to this machine, with an undo that nobody has to reach it for.

The order is what makes it safe: the state before is on disk, and an undo is armed, before the first
file is touched. The undo runs when its time is over (on the monotonic clock, which a wrong date cannot
stop) and at the next boot, before the network starts; it is lifted only by a confirmation. The change
itself runs detached, because it may end the very session that asked for it.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.balai.mall.plugins.module_utils.settled import (
    FILE,
    current,
    difference,
    differing,
    holds,
    refuse_invalid,
    room,
)

DOCUMENTATION = r"""
module: cord
short_description: Change files that could cut the connection to a machine, with an undo that survives a power cut
description:
  - Writes files and puts them into force. Unless the change is confirmed over a new session in time, the machine puts
    the files back by itself, also when it is restarted meanwhile.
  - Roles use the action of the same name, which applies and confirms in one task.
options:
  name:
    description: Name of the change; two with the same name cannot be under way together.
    type: str
    required: true
  state:
    description: Whether to apply, or to confirm what was applied.
    type: str
    choices: [applied, confirmed]
    default: applied
  files:
    description: The files, as they are to be.
    type: list
    elements: dict
    default: []
    suboptions:
      dest: {description: Absolute path., type: path, required: true}
      content: {description: The whole text., type: str, required: true}
      mode: {description: Permissions., type: str, default: "0644"}
      validate: {description: "Command that refuses a wrong file; %s is its place.", type: str}
  reload:
    description: Shell command that puts the files into force, after a change as after an undo.
    type: str
    default: ""
  leave:
    description: Shell command that an undo runs before it takes the files away, to stop what the change has started.
    type: str
    default: ""
  holds:
    description: Shell command that succeeds while the files are in force; when it fails they are put into force anew.
    type: str
    default: ""
  proof:
    description: >-
      Shell command that must succeed before the change is confirmed, if it succeeded before the change: what the
      way that the session takes does not prove.
    type: str
    default: ""
  seconds:
    description: Seconds after which an unconfirmed change is undone.
    type: int
    default: 60
author: balai
"""
EXAMPLES = r"""
- name: Only declared conversations are let through
  balai.mall.cord:
    name: firewall
    files:
      - dest: /etc/nftables.conf
        content: "{{ lookup('ansible.builtin.template', 'nftables.conf.j2') }}"
        mode: "0600"
        validate: nft -c -f %s
    reload: systemctl reload-or-restart nftables
"""
RETURN = r"""
receipt:
  description: What became of the last change of this name.
  returned: always
  type: str
"""

HOME = Path("/var/lib/balai/cord")
BROKEN = "it could not be put into force"
MOMENT = 1.5  # seconds for this session to end in peace before the change may cut it
UNIT = Path("/etc/systemd/system/balai-cord.service")
BOOT = f"""# Ansible managed
[Unit]
Description=Undo changes that nobody confirmed
DefaultDependencies=no
RequiresMountsFor={HOME}
After=local-fs.target
Before=network-pre.target nftables.service systemd-networkd.service ssh.service chrony.service unbound.service
Wants=network-pre.target
[Service]
Type=oneshot
RemainAfterExit=yes
TimeoutStartSec=30s
ExecStart=/bin/sh -c 'for undo in {HOME}/*/armed/undo; do [ ! -e "$undo" ] || sh "$undo" boot; done'
[Install]
WantedBy=sysinit.target
"""
UNDO = """#!/bin/sh
# Puts back what was before the change "{name}". Run by a timer, at boot, or by hand; twice does no harm.
# A change that hangs would keep the lock, and cut the way for ever: it is ended first.
case "${{1:-}}" in boot|"{broken}") ;; *) systemctl stop balai-cord-{name}-apply.service 2>/dev/null;; esac
exec 9>{home}/lock; flock 9
cd {home}/armed 2>/dev/null || exit 0
if [ "${{1:-}}" != boot ]; then {leave}
fi
{restore}
sync
if [ "${{1:-}}" != boot ]; then {reload}
fi
echo "undone (${{1:-time over}}) at $(date -u +%FT%TZ), $(cut -d' ' -f1 /proc/uptime) s after the start" > receipt
rm -rf {home}/undone && mv {home}/armed {home}/undone
sync
# At boot neither the journal nor the manager's bus answers yet: asking them would hold up the start for ever.
if [ "${{1:-}}" != boot ]; then
  logger -t balai-cord "change {name} was undone: ${{1:-time over}}"
  systemctl stop balai-cord-{name}.timer 2>/dev/null
fi
exit 0
"""
APPLY = """#!/bin/sh
exec 9>{home}/lock; flock 9
cd {home}/armed || exit 0
if {install} && sync && {{
{reload}
}}
then cut -d' ' -f1 /proc/uptime > applied.new && mv applied.new applied
else flock -u 9; sh {home}/armed/undo "{broken}"
fi
"""


def receipt(home: Path) -> str:
    """Return what became of the last change."""
    for where in ("armed", "undone", "confirmed"):
        if (home / where).is_dir():
            note = home / where / "receipt"
            return note.read_text().strip() if note.exists() else "applied and not confirmed yet"
    return "there was no change"


def stage(module: AnsibleModule, home: Path, files: list[dict]) -> None:
    """Write the new files and the scripts, and make them survive a power cut."""
    name, reload = module.params["name"], module.params["reload"] or "true"
    folder = home / "staged"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    restore, install, forget = [], [], ["true"]
    for n, item in enumerate(files):
        dest = Path(item["dest"])
        place = shlex.quote(str(dest))
        new = folder / f"new-{n}"
        new.write_text(item["content"])
        new.chmod(int(item["mode"], 8))
        install.append(f"mkdir -p {shlex.quote(str(dest.parent))} && cp -p new-{n} {place}.balai-new")
        restore.append(f"rm -f {place}.balai-new")
        # What was there keeps a second name until the end: putting it back needs no room on a full disk.
        Path(f"{dest}.balai-old").unlink(missing_ok=True)
        if current(dest)[0] is None and not dest.is_symlink():
            restore.append(f"rm -f {place}")
        else:
            install.append(f"ln {place} {place}.balai-old")
            restore.append(
                f"if [ -e {place}.balai-old ] || [ -L {place}.balai-old ]; then mv -f {place}.balai-old {place}; fi"
            )
            forget.append(f"rm -f {place}.balai-old")
        install.append(f"mv {place}.balai-new {place}")
    proof = module.params["proof"]
    if proof and module.run_command(["sh", "-c", proof])[0] == 0:
        (folder / "proof").write_text(proof)
    leave = module.params["leave"] or "true"
    words = {"name": name, "home": home, "reload": reload, "leave": leave, "broken": BROKEN}
    (folder / "undo").write_text(UNDO.format(restore="\n".join(restore), **words))
    (folder / "apply").write_text(APPLY.format(install=" && ".join(install) or "true", **words))
    (folder / "forget").write_text("\n".join(forget))
    os.sync()
    shutil.rmtree(home / "undone", ignore_errors=True)
    folder.rename(home / "armed")
    os.sync()


def arm(module: AnsibleModule, home: Path) -> None:
    """Start the clock of the undo, then, a moment later, the change."""
    name = module.params["name"]
    for unit in (f"balai-cord-{name}", f"balai-cord-{name}-apply"):
        subprocess.run(
            ["systemctl", "reset-failed", f"{unit}.service", f"{unit}.timer"], capture_output=True, check=False
        )
    common = ["systemd-run", "--quiet", "--collect", "--timer-property=AccuracySec=100ms"]
    timed = [(f"balai-cord-{name}", module.params["seconds"], "undo"), (f"balai-cord-{name}-apply", MOMENT, "apply")]
    for unit, seconds, script in timed:
        argv = [*common, f"--unit={unit}", f"--on-active={seconds}s", "/bin/sh", str(home / "armed" / script)]
        rc, _, err = module.run_command(argv)
        if rc != 0:
            module.run_command(["sh", str(home / "armed/undo"), "it could not be armed"])
            module.fail_json(msg=f"No undo could be armed, so nothing was changed: {err.strip()}")


def ensure_boot_unit(module: AnsibleModule) -> None:
    """Make sure that the undo also acts at boot."""
    link = UNIT.parent / "sysinit.target.wants" / UNIT.name
    if current(UNIT)[0] != BOOT or not link.is_symlink():
        UNIT.write_text(BOOT)
        link.parent.mkdir(exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(UNIT)
        module.run_command(["systemctl", "daemon-reload"], check_rc=True)


def apply(module: AnsibleModule, home: Path) -> None:
    """Apply what differs; say so only, in check mode."""
    files = differing(module.params["files"])
    refuse_invalid(module, files)
    changed = bool(files) or not holds(module, module.params["holds"])
    if (home / "armed").is_dir() and not module.check_mode:
        timer = f"balai-cord-{module.params['name']}.timer"
        if module.run_command(["systemctl", "is-active", "--quiet", timer])[0] == 0:
            module.fail_json(
                msg=f"A change {module.params['name']!r} is under way: it is confirmed or undone in a moment."
            )
        module.run_command(["sh", str(home / "armed/undo"), "its run was killed before the undo was armed"])
        files = differing(module.params["files"])
        changed = changed or bool(files)
    result = {"changed": changed, "diff": difference(files)}
    if changed and not module.check_mode:
        with room(module):
            home.mkdir(parents=True, exist_ok=True)
            ensure_boot_unit(module)
            stage(module, home, files)
        arm(module, home)
    module.exit_json(**result, receipt=receipt(home))


def session_start() -> float | None:
    """
    Return when the SSH connection that runs this was opened, in seconds since the machine's start.

    None when no SSH connection runs this, so that there is no cord to cut.
    """
    began, pid = None, os.getpid()
    while pid > 1:
        text = Path(f"/proc/{pid}/stat").read_text()
        name, fields = text[text.index("(") + 1 : text.rindex(")")], text.rpartition(")")[2].split()
        parent = int(fields[1])
        if (
            name.startswith("sshd") and parent > 1
        ):  # the one whose parent is init listens, and is older than any session
            began = int(fields[19]) / os.sysconf("SC_CLK_TCK")
        pid = parent
    return began


def confirm(module: AnsibleModule, home: Path) -> None:
    """Lift the undo, once the change is in force, over a session that was opened after that."""
    name, note = module.params["name"], home / "armed/applied"
    began = session_start()
    if (home / "armed").is_dir() and (not note.exists() or (began is not None and began <= float(note.read_text()))):
        module.fail_json(
            msg="The session is older than the change: it proves nothing.", again=True, receipt=receipt(home)
        )
    proof = home / "armed/proof"
    if proof.exists() and module.run_command(["sh", str(proof)])[0] != 0:
        module.fail_json(msg=f"What worked before does not: {proof.read_text()}", again=True, receipt=receipt(home))
    script = (
        f"exec 9>{home}/lock; flock 9; cd {home}/armed 2>/dev/null && test -e applied || exit 1; "
        f'echo "confirmed at $(date -u +%FT%TZ)" > receipt; rm -rf {home}/confirmed; '
        f"mv {home}/armed {home}/confirmed; sync; sh {home}/confirmed/forget"
    )
    rc, _, _ = module.run_command(["sh", "-c", script])
    if rc != 0:
        module.fail_json(msg=f"The change {name!r} is not in force: {receipt(home)}", receipt=receipt(home))
    module.run_command(["systemctl", "stop", f"balai-cord-{name}.timer"])
    module.exit_json(changed=True, receipt=receipt(home))


def main() -> None:
    """Run the module."""
    file = {**FILE, "content": {"type": "str", "required": True}}
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["applied", "confirmed"], "default": "applied"},
            "files": {"type": "list", "elements": "dict", "options": file, "default": []},
            "reload": {"type": "str", "default": ""},
            "leave": {"type": "str", "default": ""},
            "holds": {"type": "str", "default": ""},
            "proof": {"type": "str", "default": ""},
            "seconds": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    home = HOME / module.params["name"]
    (apply if module.params["state"] == "applied" else confirm)(module, home)


if __name__ == "__main__":
    main()
