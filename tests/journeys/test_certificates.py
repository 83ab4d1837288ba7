"""
The certificates of a mall's server over fourteen days without power, and at the end of its authority.

The Caddy of the lab's server runs on this machine; the lab's mall is left alone. It asks the kernel itself for the time,
so its certificates are made older instead.
"""

from __future__ import annotations

import contextlib
import datetime
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from balai.models.flow import DARK_DAYS
from balai.onsite import status
from lab import trees

pytestmark = pytest.mark.lab


def eventually(true: Callable[[], object], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


class Caddy:
    """Caddy of the lab's server, in its tree and a network of its own, with the file that the role `queue` writes."""

    NAME = "server-1.mpp-x.balai.internal"

    def __init__(self, home: Path, root: Path) -> None:
        self.home = home
        self.store = home / "data/caddy"
        self.authority = self.store / "pki/authorities/local"
        self.leaf = self.store / f"certificates/local/{self.NAME}/{self.NAME}.crt"
        words = (root / "roles/queue/templates/Caddyfile.j2").read_text()
        for old, new in (
            ("{{ ansible_managed | comment }}", ""),
            ("{{ queue_settings.server }}", self.NAME),
            ("{{ __queue_share }}", "/srv"),
        ):
            words = words.replace(old, new)
        (home / "Caddyfile").write_text(words)
        tree = trees.tree_of("server")
        (home / "run.sh").write_text(
            f"mount --bind {tree} {tree} && mount -t tmpfs t {tree}/mnt && mkdir {tree}/mnt/home && mount --bind {home} {tree}/mnt/home\n"
            f"ip link set lo up && exec chroot {tree} env -i HOME=/mnt/home XDG_DATA_HOME=/mnt/home/data "
            "caddy run --adapter caddyfile --config /mnt/home/Caddyfile\n"
        )

    @contextlib.contextmanager
    def running(self) -> Iterator[int]:
        argv = ["unshare", "-mn", "--propagation", "private", "sh", f"{self.home}/run.sh"]
        with (self.home / "said").open("w") as said, subprocess.Popen(argv, stdout=said, stderr=said) as process:
            try:
                yield process.pid
            finally:
                process.terminate()

    def trusted(self, pid: int, authority: Path) -> bool:
        """Whether a browser that trusts an authority would open its page."""
        script = (
            "import socket, ssl, sys; trust = ssl.create_default_context(cafile=sys.argv[1]); "
            "trust.wrap_socket(socket.create_connection(('127.0.0.1', 443), 2), server_hostname=sys.argv[2])"
        )
        argv = ["nsenter", "-t", str(pid), "-n", sys.executable, "-c", script, str(authority), self.NAME]
        return subprocess.run(argv, capture_output=True, check=False).returncode == 0

    def age(self, days: int) -> None:
        """Make what it has made so many days older, as if it had lain there for so long."""
        root_key, own_key = (
            serialization.load_pem_private_key((self.authority / f"{name}.key").read_bytes(), None)
            for name in ("root", "intermediate")
        )
        for path, key in (
            (self.authority / "root.crt", root_key),
            (self.authority / "intermediate.crt", root_key),
            (self.leaf, own_key),
        ):
            old, *others = x509.load_pem_x509_certificates(path.read_bytes())
            past = datetime.timedelta(days=days)
            made = x509.CertificateBuilder(old.issuer, old.subject, old.public_key(), x509.random_serial_number())
            made = made.not_valid_before(old.not_valid_before_utc - past).not_valid_after(
                old.not_valid_after_utc - past
            )
            for extension in old.extensions:
                made = made.add_extension(extension.value, extension.critical)
            chain = [made.sign(key, hashes.SHA256()), *others]  # type: ignore[arg-type]
            path.write_bytes(b"".join(one.public_bytes(serialization.Encoding.PEM) for one in chain))


@pytest.fixture
def caddy(tmp_path: Path, root: Path) -> Caddy:
    made = Caddy(tmp_path, root)
    with made.running() as pid:
        eventually(lambda: made.leaf.exists() and made.trusted(pid, made.authority / "root.crt"))
    return made


def test_a_server_that_was_off_for_fourteen_days_is_trusted_by_the_same_kiosks_again(caddy: Caddy) -> None:
    caddy.age(DARK_DAYS)
    enrolled = caddy.home / "enrolled.crt"
    shutil.copy(caddy.authority / "root.crt", enrolled)  # as the kiosks have it
    paths = [caddy.authority / "root.crt", caddy.authority / "intermediate.crt", caddy.leaf]
    told = {"certificates": [{"name": path.stem, "path": str(path), "days": 0} for path in paths]}
    assert [finding["kind"] for finding in status.certificates(told)] == ["ended", "ended"]

    with caddy.running() as pid:
        eventually(lambda: caddy.trusted(pid, enrolled))

        eventually(lambda: list(status.certificates(told)) == [])
    assert (caddy.authority / "root.crt").read_bytes() == enrolled.read_bytes(), "kiosks would have to be told again"


def test_an_authority_that_is_put_aside_is_made_anew_at_the_next_start(caddy: Caddy) -> None:
    """What docs/technician.md says of the end of the server's own authority."""
    old = caddy.home / "old.crt"
    shutil.copy(caddy.authority / "root.crt", old)
    caddy.authority.rename(caddy.home / "put-aside")
    shutil.rmtree(caddy.leaf.parent.parent)

    with caddy.running() as pid:
        eventually(lambda: caddy.leaf.exists() and caddy.trusted(pid, caddy.authority / "root.crt"))
        assert not caddy.trusted(pid, old)
