"""
The lab's processes: started in a cgroup, ended by that cgroup.

A process cannot leave its cgroup by forking, so whatever survives a crash of the lab is found
there and nowhere else: nothing is ever ended by name. Containers of the node lie in cgroups below
the same one, which the kubelet is given as its root.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from balai.errors import EnvironmentFault
from lab import state

CGROUPS = Path("/sys/fs/cgroup")
UNIFIED = (CGROUPS / "cgroup.controllers").exists()
TREE = "balai-lab"
JOB = "job"
# With cgroup v1 every hierarchy has a tree of its own; `pids` is the one that tracks.
TRACKED = (CGROUPS if UNIFIED else CGROUPS / "pids") / TREE


def hierarchies() -> list[Path]:
    """Return the roots of all cgroup hierarchies: one with v2, about ten with v1."""
    if UNIFIED:
        return [CGROUPS]
    return [path for path in CGROUPS.iterdir() if path.is_dir() and not path.is_symlink()]


def make_cgroup(name: str) -> Path:
    """Make the group in every hierarchy; return it in the one that tracks."""
    for root in hierarchies():
        group = root / TREE
        for part in [group, *(group / name for _ in [0] if name)]:
            part.mkdir(exist_ok=True)
            for setting in ("cpuset.cpus", "cpuset.mems"):  # empty in a new v1 group, which takes no process
                mine = part / setting
                if not UNIFIED and mine.exists() and not mine.read_text().strip():
                    mine.write_text((part.parent / setting).read_text())
    return TRACKED / name


def start(name: str, argv: list[str | Path], *, group: str, netns: str = "", env: dict[str, str] | None = None) -> int:
    """
    Start a daemon and return its process id.

    It is in its cgroup, and on record, before it runs.
    """
    make_cgroup(group)
    state.LOGS.mkdir(parents=True, exist_ok=True)
    enter = ["nsenter", f"--net=/run/netns/{netns}"] if netns else []
    record = state.RUN / f"{name}.pid"
    record.unlink(missing_ok=True)
    # The shell writes its own id and start time and becomes the daemon, so that there is no moment at
    # which a killed run could lose it; `ip netns exec` would hide /sys/fs/cgroup.
    script = (
        'echo $$ > "$0/cgroup.procs" && echo "$$ $(cut -d" " -f22 /proc/$$/stat)" > "$1.new" '
        '&& mv "$1.new" "$1" && shift && exec "$@"'
    )
    shell = ["sh", "-c", script, str(TRACKED / group), str(record)]
    with (state.LOGS / f"{name}.log").open("ab") as log:
        child = subprocess.Popen(
            [*shell, *enter, *map(str, argv)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env={**os.environ, **(env or {})},
        )
    while not record.exists() and child.poll() is None:
        time.sleep(0.005)
    _CHILDREN[child.pid] = child
    return child.pid


def ensure(
    name: str,
    argv: list[str | Path],
    *,
    group: str,
    netns: str = "",
    env: dict[str, str] | None = None,
    reads: Iterable[Path] = (),
) -> None:
    """Start a daemon that does not run, or runs with other arguments, or with other content of files that it reads."""
    digests = (hashlib.sha256(path.read_bytes()).hexdigest() for path in reads)
    words = "\n".join([*map(str, argv), *digests])
    record = state.RUN / f"{name}.argv"
    if pid_of(name) is not None and record.exists() and record.read_text() == words:
        return
    stop(name)
    record.write_text(words)
    start(name, argv, group=group, netns=netns, env=env)


def stop(name: str) -> None:
    """End one daemon and nothing else; it is asked first."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + 10
        while (pid := pid_of(name)) is not None and time.monotonic() < deadline:
            os.kill(pid, sign)
            time.sleep(0.2)


_CHILDREN: dict[int, subprocess.Popen[bytes]] = {}  # kept, so that their ends are collected


def pid_of(name: str) -> int | None:
    """Return the id of a daemon that is still the one that was started, else None."""
    try:
        pid, began = (state.RUN / f"{name}.pid").read_text().split()
    except (OSError, ValueError):
        return None
    child = _CHILDREN.get(int(pid))
    if child is not None and child.poll() is not None:
        return None
    return int(pid) if _started(int(pid)) == began else None


def last_words(name: str, lines: int = 3) -> str:
    """Return the end of a daemon's log, for an error message."""
    log = state.LOGS / f"{name}.log"
    text = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return " / ".join(line[-300:] for line in text[-lines:]) or "it said nothing"


def wait_for(what: str, ready: Callable[[], bool], *, seconds: float, alive: Iterable[str] = ()) -> None:
    """
    Wait until something is true.

    Raises:
        EnvironmentFault: The time is over, or a daemon it depends on (`alive`) has ended.
    """
    names = list(alive)
    deadline = time.monotonic() + seconds
    while not ready():
        for name in names:
            if pid_of(name) is None:
                raise EnvironmentFault(f"{name} ended before {what}: {last_words(name)}")
        if time.monotonic() > deadline:
            logs = f" The last of {names[0]}: {last_words(names[0])}" if names else ""
            raise EnvironmentFault(f"{what} is not there after {seconds:.0f} s.{logs}")
        time.sleep(0.1)


def job(argv: list[str], *, cwd: Path, env: dict[str, str]) -> tuple[str, int]:
    """Run a command to its end in the group of jobs; return what it printed (errors last) and its exit code."""
    make_cgroup(JOB)
    done = subprocess.run(
        ["sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', str(TRACKED / JOB), *argv],
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    return (done.stdout if done.returncode == 0 else done.stdout + done.stderr), done.returncode


def below(group: Path) -> Iterator[Path]:
    """Yield a cgroup and all below it, parents first; those that end meanwhile are passed over."""
    for folder, _, _ in os.walk(group):
        yield Path(folder)


def end(group: str = "") -> None:
    """End every process of a group (all groups when empty) and remove its cgroups."""
    tracked = TRACKED / group
    for sign, patience in ((signal.SIGTERM, 3.0), (signal.SIGKILL, 10.0)):
        deadline = time.monotonic() + patience
        while (pids := _members(tracked)) and time.monotonic() < deadline:
            for pid in pids:
                try:
                    os.kill(pid, sign)
                except ProcessLookupError:
                    continue
            time.sleep(0.2)
    for root in hierarchies():
        _remove_cgroups(root / TREE / group)


def unmount_below(folder: Path) -> None:
    """Remove mounts that a crash left below a folder, deepest first."""
    mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for mount in sorted((m for m in mounts if Path(m).is_relative_to(folder)), reverse=True):
        subprocess.run(["umount", "--lazy", mount], check=False, capture_output=True)


def run(argv: list[str | Path], *, sentence: str, cwd: Path | None = None) -> str:
    """
    Run a command of the machine and return what it printed.

    Raises:
        EnvironmentFault: It is missing or failed; `sentence` says what that means.
    """
    if shutil.which(str(argv[0])) is None:
        raise EnvironmentFault(f"{sentence}: {argv[0]} is missing; run `make tools`.")
    done = subprocess.run(list(map(str, argv)), capture_output=True, text=True, check=False, cwd=cwd)
    if done.returncode != 0:
        words = " / ".join((done.stderr or done.stdout).strip().splitlines()[-3:])
        raise EnvironmentFault(f"{sentence}: {words}")
    return done.stdout


def _started(pid: int) -> str:
    """Return the start time of a process in ticks since boot: with the id, unique for a boot."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]


def _members(tracked: Path) -> list[int]:
    pids = []
    for folder in below(tracked):
        try:
            found = [int(pid) for pid in (folder / "cgroup.procs").read_text().split()]
        except OSError:
            continue
        pids += [pid for pid in found if _started(pid)]
    return pids


def _remove_cgroups(group: Path) -> None:
    if not group.exists():
        return
    for _ in range(50):
        for folder in sorted(below(group), reverse=True):
            _rmdir(folder)
        if not group.exists():
            return
        time.sleep(0.1)


def _rmdir(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        return
