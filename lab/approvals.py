"""
Two people who allow the lab its changes: their keys, and what they sign, so that `make up` works on every day.

They stand for an agency's own people, whose keys are in `policies/approvals/allowed_signers`; a freeze or a window
refuses here as it does there when BALAI_APPROVALS names another folder.
"""

from __future__ import annotations

import datetime
from pathlib import Path

import yaml

from balai.fleet.approvals import DAYS, NAMESPACE, load_approvals
from lab import processes, state

FOLDER = state.ROOT / "approvals"
PEOPLE = ("lab-first", "lab-second")
RENEW_BEFORE = datetime.timedelta(days=3)


def give(stacks: list[str], allows: tuple[str, ...] = ("freeze", "window")) -> Path:
    """Allow so much of stacks for the coming days, unless that is so already; return the folder."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    keys = [_key(name) for name in PEOPLE]
    signers = [f'{name} namespaces="{NAMESPACE}" {key.with_suffix(".pub").read_text()}' for name, key in keys]
    state.write(FOLDER / "allowed_signers", "".join(signers))
    today = datetime.datetime.now(datetime.UTC).date()
    kept = {a.stack: a for a in load_approvals(FOLDER)}
    for stack in stacks:
        old = kept.get(stack)
        if old and {*allows} <= {*old.allows} and datetime.date.fromisoformat(old.expires) - RENEW_BEFORE > today:
            continue
        name = stack.replace(".", "-")
        path = FOLDER / name / "approval.yml"
        path.parent.mkdir(exist_ok=True)
        for signature in path.parent.glob("*.sig"):
            signature.unlink()
        asked = {
            "id": name,
            "stack": stack,
            "allows": list(allows),
            "reason": "A lab serves nobody",
            "requested": (today - datetime.timedelta(days=1)).isoformat(),
            "expires": (today + datetime.timedelta(days=DAYS - 2)).isoformat(),
        }
        path.write_text(yaml.safe_dump(asked))
        for signer, key in keys:
            processes.run(
                ["ssh-keygen", "-q", "-Y", "sign", "-n", NAMESPACE, "-f", key, path], sentence="Nothing can be signed"
            )
            path.with_suffix(".yml.sig").rename(path.with_name(f"{signer}.sig"))
    return FOLDER


def _key(name: str) -> tuple[str, Path]:
    path = state.ROOT / "signers" / name
    if not path.exists():
        path.parent.mkdir(mode=0o700, exist_ok=True)
        processes.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", path], sentence="No key can be made"
        )
    return name, path
