"""
The lab's engines: found on PATH, found in the cache, or built from the Go module proxy.

Where Kubernetes, Pulumi and the others are installed in the wanted version, those are used. The
cache lies outside the tree, one folder per content of the recipe, so that a changed pin never
meets an old binary. Two runs at once share it: one builds a module, the other waits for it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from balai.errors import EnvironmentFault

HERE = Path(__file__).parent
PROBE_SECONDS = 30


@dataclass(frozen=True, kw_only=True)
class Tool:
    """One binary: where its module lies, how it is built, and what it says when asked."""

    name: str
    module: str
    package: str
    version: str
    tags: str
    ldflags: str
    probe: tuple[str, ...]
    says: str
    recipe: str  # hash of everything the binary depends on

    @property
    def cached(self) -> Path:
        """Path of the binary in the cache, whether or not it is there."""
        return cache_root() / "tools" / f"{self.module}-{self.version}-{self.recipe}" / self.name


@dataclass(frozen=True, kw_only=True)
class Found:
    """Where a tool was found, and the seconds it took to build (0 when it was there)."""

    tool: Tool
    path: Path
    origin: str  # "path" | "cache" | "built"
    seconds: float


def cache_root() -> Path:
    """Return the folder of everything that is costly to make, outside the tree."""
    base = os.environ.get("BALAI_CACHE") or os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "balai"


def catalogue() -> dict[str, Tool]:
    """Return every tool of tools.yml, with the version that its go.mod pins."""
    data: dict[str, Any] = yaml.safe_load((HERE / "tools.yml").read_text())["modules"]
    return {
        name: _tool(module, spec, name, entry) for module, spec in data.items() for name, entry in spec["tools"].items()
    }


def module_folder(name: str, module: str) -> Path:
    """
    Return the folder of a Go module that the toolchain's module of that name pins, for files beside the code.

    Raises:
        EnvironmentFault: There is no Go, or no way to the module.
    """
    return _fetched(f"{module}@{_pinned(HERE / name / 'go.mod', module)}", HERE / name)


def _fetched(wanted: str, folder: Path = Path("/")) -> Path:
    # In the folder of a go.mod its go.sum vouches for the module, and nobody else is asked.
    go = find_go()
    if go is None:
        raise EnvironmentFault(f"{wanted} cannot be fetched without `go`: install Go 1.21 or later.")
    run = subprocess.run(
        [go, "mod", "download", "-json", wanted], cwd=folder, capture_output=True, text=True, check=False
    )
    if run.returncode != 0:
        raise EnvironmentFault(f"{wanted} cannot be fetched: {run.stderr.strip()[-200:] or run.stdout[-200:]}")
    return Path(json.loads(run.stdout)["Dir"])


def debian_packages() -> list[str]:
    """Return the Debian packages that the lab needs on the machine itself."""
    packages: list[str] = yaml.safe_load((HERE / "tools.yml").read_text())["debian"]
    return packages


def ensure(names: list[str] | None = None, on_event: Any = None) -> dict[str, Found]:
    """
    Return every wanted tool, building what is not there.

    Args:
        names: The tools wanted; all of them when None.
        on_event: Called with (tool name, "building" | "path" | "cache" | "built", seconds).

    Raises:
        EnvironmentFault: A tool is neither on PATH nor in the cache, and cannot be built.
    """
    tools = catalogue()
    wanted = [tools[name] for name in names or tools]
    tell = on_event or (lambda *_: None)
    # Asking a binary for its version is the slow part of a warm run; ask all of them at once.
    with ThreadPoolExecutor(4) as pool:
        present = dict(zip((t.name for t in wanted), pool.map(_present, wanted), strict=True))
    found = {}
    for tool in wanted:
        hit = present[tool.name] or _build(tool, tell)
        tell(tool.name, hit.origin, hit.seconds)
        found[tool.name] = hit
    return found


def path_of(name: str) -> Path:
    """Return the path of one tool that is present, without building it."""
    tool = catalogue()[name]
    hit = _present(tool)
    if hit is None:
        raise _missing(tool, "it has not been built yet: run `make tools`")
    return hit.path


def _tool(module: str, spec: dict[str, Any], name: str, entry: dict[str, Any]) -> Tool:
    folder = HERE / module
    version = _pinned(folder / "go.mod", spec["pin"])
    fill = {"v": version, "n": version.removeprefix("v")}
    tags, ldflags = spec.get("tags", ""), spec.get("ldflags", "").format(**fill)
    recipe = hashlib.sha256()
    for part in ((folder / "go.mod").read_bytes(), (folder / "go.sum").read_bytes(), tags.encode(), ldflags.encode()):
        recipe.update(hashlib.sha256(part).digest())
    return Tool(
        name=name,
        module=module,
        package=entry["package"],
        version=version,
        tags=tags,
        ldflags=ldflags,
        probe=tuple(entry["probe"]),
        says=entry["says"].format(**fill),
        recipe=recipe.hexdigest()[:12],
    )


def _pinned(go_mod: Path, module: str) -> str:
    for line in go_mod.read_text().splitlines():
        words = line.removeprefix("require").split()
        if len(words) >= 2 and words[0] == module:
            return words[1]
    msg = f"{go_mod} requires no {module}"
    raise ValueError(msg)


def _present(tool: Tool) -> Found | None:
    if _answers(tool, tool.cached):
        return Found(tool=tool, path=tool.cached, origin="cache", seconds=0.0)
    on_path = shutil.which(tool.name)
    if on_path and _answers(tool, Path(on_path)):
        return Found(tool=tool, path=Path(on_path), origin="path", seconds=0.0)
    return None


def _answers(tool: Tool, path: Path) -> bool:
    """Run the binary: one that is truncated, of another version or not executable fails here."""
    if not path.is_file():
        return False
    try:
        run = subprocess.run(
            [path, *tool.probe],
            capture_output=True,
            text=True,
            check=False,
            timeout=PROBE_SECONDS,
            env={**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "1"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return run.returncode == 0 and tool.says in run.stdout + run.stderr


def _build(tool: Tool, tell: Any) -> Found:
    go = find_go()
    if go is None:
        raise _missing(tool, "it cannot be built because there is no `go`: install Go 1.21 or later")
    target = tool.cached
    target.parent.mkdir(parents=True, exist_ok=True)
    with _locked(target.parent / ".lock"):
        if _answers(tool, target):  # another run built it while this one waited
            return Found(tool=tool, path=target, origin="cache", seconds=0.0)
        tell(tool.name, "building", 0.0)
        began = time.monotonic()
        partial = target.with_name(f".{tool.name}.{os.getpid()}")
        command = [
            go,
            "build",
            "-trimpath",
            "-tags",
            tool.tags,
            "-ldflags",
            f"-s -w {tool.ldflags}",
            "-o",
            str(partial),
            tool.package,
        ]
        run = subprocess.run(
            command,
            cwd=HERE / tool.module,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false"},
        )
        try:
            if run.returncode != 0:
                last = run.stderr.strip().splitlines()[-3:]
                raise _missing(tool, f"building it failed: {' / '.join(last)}")
            if not _answers(tool, partial):
                raise _missing(tool, f"the build does not say {tool.says!r}")
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
    return Found(tool=tool, path=target, origin="built", seconds=time.monotonic() - began)


def find_go() -> str | None:
    """Return the path of the Go command, also where it was unpacked and not put on PATH."""
    return shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")


def _missing(tool: Tool, reason: str) -> EnvironmentFault:
    return EnvironmentFault(
        f"{tool.name} {tool.version} is not on PATH in that version and not in {tool.cached.parent}; {reason}"
    )


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    # The kernel drops the lock with the process, so a killed build never blocks the next one.
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
