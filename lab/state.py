"""Where the lab keeps what it makes, and the lock that lets one run at a time change it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from balai.errors import EnvironmentFault

# A folder of its own below whatever is named: `down` removes it whole.
ROOT = Path(os.environ.get("BALAI_LAB_STATE", "/var/lib")) / "balai-lab"
RUN = Path("/run/balai-lab")  # sockets: their paths must stay below 108 characters
PKI = ROOT / "pki"
LOGS = ROOT / "logs"
KUBECONFIG = ROOT / "kubeconfig"  # the platform team's, for every cluster; cikarang is its current one
SSH_CONFIG = ROOT / "ssh" / "config"
REPORT = ROOT / "report"
FREE_BYTES = 4 * 1024**3
CHECKOUT = Path(__file__).resolve().parent.parent


def require_root() -> None:
    """Refuse to start engines and hosts without the rights to do so."""
    if os.geteuid() != 0:
        raise EnvironmentFault("The lab makes network namespaces and mounts: run `sudo make up`.")


def require_space() -> None:
    """Refuse to begin on a disk that would fill up half way."""
    for path in (ROOT, RUN):
        path.mkdir(parents=True, exist_ok=True)
    disk = os.statvfs(ROOT)
    free = disk.f_bavail * disk.f_frsize
    if free < FREE_BYTES:
        raise EnvironmentFault(
            f"{ROOT} has {free // 1024**2} MiB free and the lab needs {FREE_BYTES // 1024**2}: "
            "free some space, or point BALAI_LAB_STATE to another disk."
        )


@contextmanager
def exclusive() -> Iterator[None]:
    """Hold the lab for this run; another run says so instead of fighting over it."""
    RUN.mkdir(parents=True, exist_ok=True)
    with (RUN / "lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise EnvironmentFault("Another run is changing the lab: wait until it ends.") from error
        yield


def write(path: Path, text: str) -> Path:
    """Write a configuration file if its content is new: some daemons end when theirs is touched."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text() != text:
        partial = path.with_name(f".{path.name}.partial")
        partial.write_text(text)
        partial.replace(path)
    return path
