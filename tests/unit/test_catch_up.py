"""What a mall stored in the dark goes on over real sockets with its share of the line, and no more at any time."""

from __future__ import annotations

import hashlib
import http.server
import json
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from balai.errors import DataError
from balai.models.flow import MOST_SHARE
from balai.onsite import intake
from balai.onsite.intake import Spool, Way, deliver
from balai.sites import INVENTORIES, load_site

SERVICE, KBIT = "portal-layanan/aduan", 800  # 100 kB a second
MANY, EACH = 20, 8_000
SEGMENT = 1400  # loopback's own are as large as what is sent
FIRST = 10 * SEGMENT  # that the kernel lets go at once when a conversation begins


class Tenant:
    """Stores what comes, and notes when each piece of it came."""

    def __init__(self, folder: Path) -> None:
        self.came: list[tuple[float, int]] = []
        self.stored: list[bytes] = []
        self.conversations = 0
        self.code = 201
        tenant = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1

            def setup(self) -> None:
                tenant.conversations += 1
                super().setup()

            def do_POST(self) -> None:
                left, body = int(self.headers["Content-Length"]), b""
                while left and (piece := self.rfile.read1(min(left, 4096))):
                    tenant.came.append((time.monotonic(), len(piece)))
                    body, left = body + piece, left - len(piece)
                tenant.stored.append(body)
                told = {"key": self.headers["Idempotency-Key"], "sha256": hashlib.sha256(body).hexdigest()}
                words = json.dumps(told).encode()
                self.send_response(tenant.code)
                self.send_header("Content-Length", str(len(words)))
                self.end_headers()
                self.wfile.write(words)

            def log_message(self, format: str, *args: object) -> None:
                """Keep the log short."""

        argv = [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
        ]
        argv += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
        argv += ["-keyout", str(folder / "key"), "-out", str(folder / "localhost.crt")]
        subprocess.run(argv, check=True, capture_output=True)
        trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        trust.load_cert_chain(folder / "localhost.crt", folder / "key")
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=False)
        self.server.daemon_threads = True
        self.server.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SEGMENT)
        self.server.server_bind()
        self.server.server_activate()
        self.server.socket = trust.wrap_socket(self.server.socket, server_side=True)
        self.url = f"https://localhost:{self.server.server_address[1]}/"

    def most_within(self, seconds: float) -> int:
        """Return the most bytes that came within any time so long."""
        return max(sum(n for at, n in self.came if began <= at < began + seconds) for began, _ in self.came)


@pytest.fixture
def tenant(tmp_path: Path) -> Iterator[Tenant]:
    made = Tenant(tmp_path)
    thread = threading.Thread(target=made.server.serve_forever)
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


def spool_of(tenant: Tenant, folder: Path, sizes: list[int]) -> Spool:
    place = {"service": SERVICE, "title": {}, "url": tenant.url, "recipient": "x", "days": 21, "mib": 9, "kib": 256}
    settings = {"mall": "MPP", "site": "mpp-x", "kiosks": [], "places": [{**place, "kbit": KBIT}], "texts": {}}
    spool = Spool(settings, folder / "spool", lambda words, _: words)
    for n, size in enumerate(sizes):
        spool.take(SERVICE, f"key-{n:016}", "x" * size, time.time())
    return spool


def sent(spool: Spool, way: Way, seconds: float) -> float:
    """Send on until nothing waits, for so long at most; return how long it took."""
    stop, began = threading.Event(), time.monotonic()

    def sending(name: str, digest: str, sealed: bytes) -> str:
        said = way.send(name, digest, sealed)
        if time.monotonic() - began > seconds:
            stop.set()
        return said

    thread = threading.Thread(target=deliver, args=(spool, SERVICE, sending, stop))
    thread.start()
    while spool.next(SERVICE, time.time()) and time.monotonic() - began < seconds:
        time.sleep(0.01)
    took = time.monotonic() - began
    stop.set()
    thread.join()
    way.close()
    return took


def test_many_go_one_after_another_in_one_conversation_and_within_the_share(tenant: Tenant, tmp_path: Path) -> None:
    spool = spool_of(tenant, tmp_path, [EACH] * MANY)

    took = sent(spool, Way(tenant.url, tmp_path, KBIT), 20)

    ceiling = KBIT * 125
    assert len(tenant.stored) == MANY
    assert tenant.conversations == 1, "each would greet the tenant anew"
    assert took >= (MANY - 1) * EACH / ceiling
    assert tenant.most_within(0.5) <= ceiling * 0.5 + EACH + FIRST


def test_a_large_one_does_not_take_the_line_for_itself(tenant: Tenant, tmp_path: Path) -> None:
    size = 200_000
    spool = spool_of(tenant, tmp_path, [size])

    began = time.monotonic()
    sent(spool, Way(tenant.url, tmp_path, KBIT), 20)

    assert sum(n for _, n in tenant.came) > size
    assert tenant.came[-1][0] - began >= (size - FIRST) / (KBIT * 125) * 0.8


@pytest.mark.parametrize("code", [500, 409])
def test_what_is_refused_or_not_understood_uses_no_more_of_the_line(
    tenant: Tenant, tmp_path: Path, code: int, capsys
) -> None:
    tenant.code = code
    spool = spool_of(tenant, tmp_path, [EACH] * MANY)

    sent(spool, Way(tenant.url, tmp_path, KBIT), 0.8)

    assert tenant.stored
    assert tenant.most_within(0.5) <= KBIT * 125 * 0.5 + EACH + FIRST


def test_a_tenant_that_hung_up_is_greeted_again(
    tenant: Tenant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    way = Way(tenant.url, tmp_path, KBIT)
    digest = hashlib.sha256(b"x").hexdigest()
    assert way.send("a", digest, b"x") == "stored"
    monkeypatch.setattr(intake, "IDLE", 0.0)

    assert way.send("b", digest, b"x") == "stored"
    way.close()
    assert tenant.conversations == 2


def test_intakes_that_would_take_the_line_from_people_are_refused(tmp_path: Path) -> None:
    estate = Path(shutil.copytree(INVENTORIES, tmp_path / "inventories", ignore=shutil.ignore_patterns("enrolment")))
    flows = estate / "flows.yml"
    text = flows.read_text()
    (flow,) = [part for part in text.split("  - name: ") if part.startswith("complaints\n")]
    second = flow.replace("complaints\n", "reports\n").replace("portal-layanan/aduan", "pajak/web")
    flows.write_text(text.replace("share: 25", "share: 30") + "  - name: " + second.replace("share: 25", "share: 30"))

    with pytest.raises(DataError, match=f"60 hundredths of a line and should be {MOST_SHARE} at most"):
        load_site(estate / "sites/mpp-banyuwangi.yml")
