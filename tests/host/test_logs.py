"""The journal of a machine on the mall's server: there at once, once, in its own folder, and nobody else's to send."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator

import pytest

from balai.addressing import Zone
from balai.mall.services import verdicts_host
from lab import machines

pytestmark = pytest.mark.lab

HOSTS = {host.short: host for host in machines.hosts()}
SERVER, KIOSK = HOSTS["server-1"], HOSTS["kiosk-1"]
(OFFICE,) = [host for host in machines.visitors() if host.short == "office-1"]
PLACE = "/var/log/journal/remote"
RECEIVER = [f"balai-logs@{KIOSK.name}.{kind}" for kind in ("socket", "service")]
URL = f"https://{verdicts_host(machines.site())}:19532/upload"


def eventually(true: Callable[[], object], seconds: float = 16) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.3)


def logged() -> str:
    word = secrets.token_hex(8)
    machines.inside(KIOSK, "logger", "-t", "balai-test", word)
    return word


def received(word: str, folder: str = KIOSK.name) -> int:
    journal = f"--file={PLACE}/{folder}/*.journal"
    return machines.inside(SERVER, "journalctl", "-q", journal, "-t", "balai-test", "-o", "cat").stdout.count(word)


def refused(host: machines.Host, address: str, seconds: int = 1) -> int:
    """Try to hand in an entry without a certificate; return curl's code."""
    name = URL.split("/")[2]
    argv = [
        "curl",
        "-sSk",
        "-m",
        str(seconds),
        "--resolve",
        f"{name}:{address}",
        "-H",
        "Content-Type: application/vnd.fdo.journal",
    ]
    return machines.inside(
        host, *argv, "--data-binary", "MESSAGE=evil\nSYSLOG_IDENTIFIER=balai-test\n\n", URL
    ).returncode


@pytest.fixture(autouse=True)
def receiving() -> Iterator[None]:
    yield
    machines.inside(SERVER, "systemctl", "start", *RECEIVER)


def test_what_a_kiosk_logs_is_on_the_server_in_its_own_folder_alone() -> None:
    word = logged()

    eventually(lambda: received(word))
    assert (received(word), received(word, "*")) == (1, 1)


def test_what_is_logged_while_nobody_takes_it_arrives_once_also_when_the_sender_is_killed_meanwhile() -> None:
    early = [logged(), logged()]
    eventually(lambda: all(map(received, early)))
    time.sleep(1)  # half of it, until the sender has noted that they were taken
    machines.inside(SERVER, "systemctl", "stop", *RECEIVER)
    before = logged()
    machines.inside(KIOSK, "systemctl", "kill", "-s", "KILL", "balai-log-upload")
    after = logged()
    machines.inside(SERVER, "systemctl", "start", *RECEIVER)

    eventually(lambda: received(before) and received(after))
    assert (received(before), received(after)) == (1, 1)
    assert [received(word) for word in early] == [1, 2]  # a sender that begins says its last one again, and no other


def test_an_office_does_not_reach_the_port_and_a_machine_without_a_certificate_is_sent_away() -> None:
    servers = str(machines.site().plan.zones[Zone.SERVERS][10])

    assert {refused(OFFICE, address) for address in (SERVER.address, servers)} <= {7, 28}
    assert refused(KIOSK, SERVER.address, 5) == 56  # TLS was spoken, and ended by the server
    assert received("evil", "*") == 0


def test_only_root_reads_what_was_received() -> None:
    said = machines.inside(SERVER, "runuser", "-u", "balai", "--", "ls", f"{PLACE}/{KIOSK.name}")

    assert "Permission denied" in said.stderr
