"""
Which stacks and malls must run because of what changed since a commit.

Both sides are rendered by their own code, and a stack is affected when its objects differ: that catches a rule or a
component that changed as well as a tenant's file, and nothing that only looks like a change.
"""

from __future__ import annotations

import filecmp
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from balai.errors import BalaiError, EnvironmentFault
from balai.estate import load_estate
from balai.fleet.touch import Touch, touch

ROOT = Path(__file__).resolve().parents[1]
# What every mall runs, beside the variables that are rendered of it.
EVERY_SITE = ("roles", "site.yml", "ansible_collections", "balai/onsite", "ansible.cfg")
# What clusters are made of: while something of it is unknown their objects cannot be made, nor compared.
EVERY_FLEET = ("inventories/clusters", "inventories/data_centres", "inventories/kubernetes.yml", "balai/fleet")


class UnknownRevision(BalaiError):  # noqa: N818 - the words are what it refuses
    """git knows no such commit."""


@dataclass(frozen=True, kw_only=True)
class Affected:
    """Names of the stacks and malls that must run, and whom that reaches."""

    stacks: tuple[str, ...]
    sites: tuple[str, ...]
    touch: Touch

    @property
    def nothing(self) -> bool:
        """Whether nothing has to run."""
        return not self.stacks and not self.sites

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {"stacks": self.stacks, "sites": self.sites, "touch": self.touch.as_json()}


def since(revision: str) -> Affected:
    """
    Return what must run because of the changes between a commit and the files as they are.

    Raises:
        UnknownRevision: git knows no such commit.
        DataError: The files as they are, are wrong.
        EnvironmentFault: One side cannot be rendered.
    """
    commit = _git(
        "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}", fault=f"there is no commit {revision!r}"
    )
    estate = load_estate()
    with tempfile.TemporaryDirectory(prefix="balai-affected-") as folder:
        before, old, new = (Path(folder) / name for name in ("tree", "old", "new"))
        _git("worktree", "prune", fault="trees of killed runs cannot be forgotten")
        _git("worktree", "add", "--quiet", "--detach", str(before), commit, fault="the commit cannot be checked out")
        try:
            _render(before, old)
            _render(ROOT, new)
        finally:
            _git("worktree", "remove", "--force", str(before), fault="the old tree cannot be removed")
        differing = set(_differing(old, new))
        unmade = {str(p.relative_to(new)) for p in new.glob("data_centres/*/fleet.yml") if p.read_bytes()[:1] == b"#"}
    if _touched(commit, EVERY_FLEET):
        differing |= unmade
    stacks = {stack for name in differing if (stack := _stack_of(name))}
    sites = {Path(name).parts[1] for name in differing if name.startswith("sites/")}
    if _touched(commit, EVERY_SITE):
        sites |= {name for name, site in estate.sites.items() if site.status == "active"}
    return Affected(
        stacks=tuple(sorted(stacks)), sites=tuple(sorted(sites)), touch=touch(estate, sorted(stacks), sorted(sites))
    )


def _stack_of(name: str) -> str:
    match Path(name).with_suffix("").parts:
        case ("data_centres", place, "fleet"):
            return f"fleet.{place}"
        case ("clusters", cluster, "foundation"):
            return f"foundation.{cluster}"
        case ("clusters", cluster, "tenants", tenant):
            return f"tenant.{cluster}.{tenant}"
    return ""


def _differing(old: Path, new: Path) -> Iterator[str]:
    names = {str(p.relative_to(side)) for side in (old, new) for p in side.rglob("*") if p.is_file()}
    for name in sorted(names):
        here, there = old / name, new / name
        if not (here.exists() and there.exists() and filecmp.cmp(here, there, shallow=False)):
            yield name


def _render(tree: Path, out: Path) -> None:
    # Each side's own code reads each side's own files: what the caller's environment names would be one side's.
    env = {name: value for name, value in os.environ.items() if not name.startswith("BALAI_")}
    argv = [sys.executable, "-m", "balai", "render", "--out", str(out)]
    done = subprocess.run(
        argv, cwd=tree, env={**env, "PYTHONPATH": str(tree)}, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise EnvironmentFault(f"{tree.name} cannot be rendered: {done.stderr.strip()[-300:]}")


def _touched(commit: str, paths: tuple[str, ...]) -> bool:
    """Tell whether something below these paths is another since a commit, or is new and not committed yet."""
    changed = _git("diff", "--name-only", commit, "--", *paths, fault="the changes cannot be listed")
    return bool(
        changed or _git("ls-files", "--others", "--exclude-standard", "--", *paths, fault="new files cannot be listed")
    )


def _git(*words: str, fault: str) -> str:
    try:
        done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise EnvironmentFault("git must be on PATH for this.") from error
    if done.returncode != 0:
        raise UnknownRevision(f"{fault}. {done.stderr.strip()}".strip())
    return done.stdout.strip()
