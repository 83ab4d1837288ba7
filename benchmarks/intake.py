"""
`python -m benchmarks.intake [COUNT]`: a mall that was dark sends on what it stored, over a line of 4 Mbit/s.

As root, without the lab: two networks of its own with a pair of cards between them, of which the mall's lets through as
much as a satellite's line (tc tbf). Meanwhile somebody asks the other end once and again, as a page does. Beside it the
same over the same line without a ceiling, in the same run. A container's line has no delay: a satellite's has 0.6 s.
"""

from __future__ import annotations

import hashlib
import http.client
import http.server
import json
import os
import signal
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from balai.onsite.intake import Spool, Way, deliver

MBIT, SHARE = 4, 25  # the line, and hundredths of it
COUNT, LETTERS = 10_000, 600  # a complaint's words
MALL, TENANT, PORT = "10.255.77.1", "10.255.77.2", 8443
AGE = 200  # bytes that sealing adds
PAGE = 30_000  # bytes that somebody sends with a form


class Tenant(http.server.BaseHTTPRequestHandler):
    """Stores nothing, and answers as if it had."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        words = json.dumps(
            {"key": self.headers["Idempotency-Key"], "sha256": hashlib.sha256(body).hexdigest()}
        ).encode()
        self.send_response(201)
        self.send_header("Content-Length", str(len(words)))
        self.end_headers()
        self.wfile.write(words)

    def log_message(self, format: str, *args: object) -> None:
        """Keep no log."""


def serve(folder: Path) -> None:
    """Be the other end."""
    server = http.server.ThreadingHTTPServer((TENANT, PORT), Tenant)
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trust.load_cert_chain(folder / f"{TENANT}.crt", folder / "key")
    server.socket = trust.wrap_socket(server.socket, server_side=True)
    server.serve_forever()


def sent() -> int:
    """Return the bytes that have gone out by the mall's card."""
    (card,) = [line for line in Path("/proc/net/dev").read_text().splitlines() if line.strip().startswith("mall:")]
    return int(card.split(":")[1].split()[8])


def asks(folder: Path, took: list[float], stop: threading.Event) -> None:
    """Hand in a form of somebody's once and again, until stopped; note the milliseconds of each."""
    trust = ssl.create_default_context(cafile=str(folder / f"{TENANT}.crt"))
    line = http.client.HTTPSConnection(TENANT, PORT, context=trust)
    while not stop.wait(0.5):
        began = time.monotonic()
        line.request("POST", "/", b"x" * PAGE, {"Idempotency-Key": "form"})
        line.getresponse().read()
        took.append(1000 * (time.monotonic() - began))


def measured(folder: Path, count: int, kbit: float) -> dict[str, float]:
    """Return what it takes to send on so many."""
    place = {
        "service": "a/b",
        "title": {},
        "url": f"https://{TENANT}:{PORT}/",
        "recipient": "x",
        "days": 21,
        "mib": 512,
    }
    settings = {"mall": "", "site": "mpp-x", "kiosks": [], "texts": {}, "places": [{**place, "kib": 64, "kbit": kbit}]}
    spool = Spool(settings, folder / f"spool-{kbit}")
    rows = []
    for n in range(count):  # put in at once: taking in is not measured, and age seals none of them
        words = json.dumps({"service": "a/b", "site": "mpp-x", "taken": 0.0, "words": {"words": "x" * LETTERS}})
        sealed = os.urandom(len(words) + AGE)
        rows.append((f"key-{n:016}", f"{n:032}", "a/b", time.time(), hashlib.sha256(sealed).hexdigest(), sealed))
    columns = "(key, name, service, taken, digest, sealed)"
    with spool.base:
        spool.base.execute("BEGIN")
        spool.base.executemany(f"INSERT INTO intakes {columns} VALUES (?, ?, ?, ?, ?, ?)", rows)
    stop, took = threading.Event(), list[float]()
    way = Way(place["url"], folder, kbit)
    sending = threading.Thread(target=deliver, args=(spool, "a/b", way.send, stop))
    asking = threading.Thread(target=asks, args=(folder, took, stop))
    before, began = sent(), time.monotonic()
    sending.start()
    asking.start()
    while spool.next("a/b", time.time()):
        time.sleep(0.2)
    seconds = time.monotonic() - began
    total = sent() - before
    stop.set()
    sending.join()
    asking.join()
    way.close()
    forms = len(took) * PAGE
    took.sort()
    return {
        "seconds": seconds,
        "kbit": (total - forms) * 8 / 1000 / seconds,
        "bytes": (total - forms) / count,
        "form": statistics.median(took),
        "slow": took[int(len(took) * 0.95)],
        "forms": len(took),
    }


def inside(folder: Path, count: int) -> None:
    """Measure in the mall's network, and print."""
    ceiling = 10 * MBIT * SHARE
    took: list[float] = []
    stop = threading.Event()
    alone = threading.Thread(target=asks, args=(folder, took, stop))
    alone.start()
    time.sleep(10)
    stop.set()
    alone.join()
    print(f"a form of {PAGE // 1000} kB, nobody else on the line   {statistics.median(took):8.0f} ms, median")
    found = {"a share of 25": measured(folder, count, ceiling), "no ceiling": measured(folder, count, 1_000_000)}
    for name, of in found.items():
        what = f"{count} sent on with {name}: {of['seconds']:.0f} s, {of['kbit']:.0f} kbit/s"
        print(f"{what}, {of['bytes']:.0f} bytes of the line each;")
        print(f"  a form meanwhile {of['form']:.0f} ms, median; 95 of 100 within {of['slow']:.0f} ms ({of['forms']})")
    first, second = found.values()
    print(f"ratio: time {first['seconds'] / second['seconds']:.2f} : 1, forms {first['form'] / second['form']:.2f} : 1")


def main(argv: list[str]) -> None:
    """Make the two networks, measure, and leave nothing."""
    if argv[:1] == ["serve"]:
        serve(Path(argv[1]))
        return
    if argv[:1] == ["inside"]:
        inside(Path(argv[1]), int(argv[2]))
        return
    count = argv[0] if argv else str(COUNT)
    me = [sys.executable, "-m", "benchmarks.intake"]

    def run(*words: Any) -> None:
        subprocess.run([str(word) for word in words], check=True, capture_output=True)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", 2,
            "-subj", "/CN=tenant", "-addext", f"subjectAltName=IP:{TENANT}",
            "-keyout", folder / "key", "-out", folder / f"{TENANT}.crt")  # fmt: skip
        ends = {end: subprocess.Popen(["unshare", "-n", "sleep", "infinity"]) for end in ("mall", "tenant")}
        try:
            time.sleep(0.5)
            enter = {end: ["nsenter", "-t", str(process.pid), "-n"] for end, process in ends.items()}
            run(
                *enter["mall"],
                "ip",
                "link",
                "add",
                "mall",
                "type",
                "veth",
                "peer",
                "name",
                "tenant",
                "netns",
                ends["tenant"].pid,
            )
            for end, address in (("mall", MALL), ("tenant", TENANT)):
                run(*enter[end], "ip", "addr", "add", f"{address}/30", "dev", end)
                run(*enter[end], "ip", "link", "set", end, "up")
                line = ("tbf", "rate", f"{MBIT}mbit", "burst", "16kb", "latency", "400ms")
                run(*enter[end], "tc", "qdisc", "add", "dev", end, "root", *line)
            ends["serving"] = subprocess.Popen([*enter["tenant"], *me, "serve", name])
            time.sleep(2)
            subprocess.run([*enter["mall"], *me, "inside", name, count], check=True)
        finally:
            for process in ends.values():
                process.send_signal(signal.SIGKILL)
                process.wait()


if __name__ == "__main__":
    main(sys.argv[1:])
