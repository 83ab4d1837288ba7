"""
A mall's own programs over fourteen days without a way out, under a clock that is moved a day at a time.

They run on this machine as they run in a mall, with libfaketime of the lab's router between them and the clock; the
lab's mall is left alone.
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import http.server
import json
import os
import socket
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from balai.models.flow import DARK_DAYS
from balai.onsite import calendar
from lab import trees

pytestmark = pytest.mark.lab

ONSITE = Path(calendar.__file__).parent
ZONE, SERVICE = "Asia/Jakarta", "portal-layanan/aduan"
CONFIRMED = "C0A80001,x,3,0,0,0,0,0,0,0,0,0,0,Normal"
OWN_CLOCK = CONFIRMED.replace("C0A80001", "7F7F0101")
EACH_DAY = 2  # complaints
# A program of a mall with other waits and another port: PROGRAM CHANGES ARGUMENTS...
RUNNER = """
import importlib.util, json, os, sys, threading, time
if "FAKETIME_DONT_FAKE_MONOTONIC" in os.environ:  # libfaketime then refuses the system call by which Python sleeps
    time.sleep = lambda seconds: threading.Event().wait(seconds)
spec = importlib.util.spec_from_file_location("program", sys.argv[1])
program = importlib.util.module_from_spec(spec)
spec.loader.exec_module(program)
for name, value in json.loads(sys.argv[2]).items():
    setattr(program, name, tuple(value) if isinstance(value, list) else value)
sys.argv[1:] = sys.argv[3:]
program.main(*([sys.argv[1:]] if program.main.__code__.co_argcount else []))
"""
RULES = "table inet balai { set present { type ifname . ether_addr; }; }"
OFFICES = {
    name: {"link": f"office-{n}", "networks": [f"10.64.{n}.0/27"], "machines": [f"02:00:00:00:00:0{n}"]}
    for n, name in enumerate(["dukcapil", "imigrasi", "pajak"], 1)
}
ASSIGNMENTS = [
    {"counter": 1, "office": "dukcapil", "on": []},
    {"counter": 2, "office": "imigrasi", "on": ["mon", "tue", "wed", "sat"]},
    {"counter": 2, "office": "pajak", "on": ["thu", "fri", "sun"]},
]


def free_port() -> int:
    with socket.socket() as way:
        way.bind(("127.0.0.1", 0))
        return int(way.getsockname()[1])


def eventually(true: Callable[[], object], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


class Mall:
    """Programs of a mall, and the clock that they see."""

    def __init__(self, home: Path) -> None:
        self.home, self.day = home, 0
        self.began = datetime.datetime.now(ZoneInfo(ZONE))
        self.ports = {"queue": free_port(), "intake": free_port()}
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        library = trees.tree_of("router") / "usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"
        self.environment = {
            "LC_ALL": "C.UTF-8",
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(home / "clock"),
            "FAKETIME_NO_CACHE": "1",
        }
        (home / "bin").mkdir()
        for name, words in (("chronyc", f"cat {home}/tracking"), ("conntrack", "true")):
            (home / "bin" / name).write_text(f"#!/bin/sh\n{words}\n")
            (home / "bin" / name).chmod(0o755)
        self.environment["PATH"] = f"{home}/bin:{os.environ['PATH']}"
        self.confirm(CONFIRMED)
        self.move(0)

    def confirm(self, said: str) -> None:
        (self.home / "tracking").write_text(f"{said}\n")

    def move(self, day: int) -> None:
        self.day = day
        partial = self.home / "clock.new"
        partial.write_text(f"+{day}d\n")
        partial.replace(self.home / "clock")

    @property
    def today(self) -> datetime.date:
        return (datetime.datetime.now(ZoneInfo(ZONE)) + datetime.timedelta(days=self.day)).date()

    def start(self, name: str, *argv: str, changes: dict[str, Any], before: str = "exec", **environment: str) -> None:
        words = [f"{ONSITE}/{name}.py", json.dumps(changes), *argv]
        self.running[name] = subprocess.Popen(
            ["sh", "-c", f'{before} "$@"', "sh", "/usr/bin/python3", "-I", "-c", RUNNER, *words],
            env={**self.environment, **environment},
            stdout=subprocess.DEVNULL,
        )

    def power(self) -> None:
        """Cut the power, and switch everything on again."""
        self.off()
        still = {"FAKETIME_DONT_FAKE_MONOTONIC": "1"}  # waits that a server's threads make are not moved
        for name, port in self.ports.items():
            waits = {"LEAST_WAIT": 0.2, "MOST_WAIT": 0.5} if name == "intake" else {}
            arguments = [f"{self.home}/{name}.json", f"{self.home}/{name}.sqlite", f"{self.home}/authorities"]
            self.start(name, *arguments, changes={"ADDRESS": ["127.0.0.1", port], **waits}, **still)
        # A router of its own: its rules, and what it keeps on disk.
        keep = f"mkdir -p {self.home}/kept && mount -t tmpfs t /run && mkdir /run/kept && mount --bind {self.home}/kept /run/kept"
        there = "mount -t tmpfs t /var/lib && mkdir /var/lib/balai && mount --bind /run/kept /var/lib/balai"
        inner = f"{keep} && {there} && nft '{RULES}' && exec \"$@\""
        (self.home / "router.sh").write_text(f"{inner}\n")
        before = f"exec unshare -mn --propagation private sh {self.home}/router.sh"
        self.start("calendar", f"{self.home}/calendar.json", changes={"TICK": 0.1}, before=before)
        eventually(lambda: self.present() is not None and self.board() is not None)

    def off(self) -> None:
        for process in self.running.values():
            process.kill()
            process.wait()
        self.running.clear()

    def post(self, name: str, path: str, source: str, **body: object) -> dict[str, Any]:
        url, words = f"http://127.0.0.1:{self.ports[name]}{path}", json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(url, words, {"X-Forwarded-For": source})) as answer:
            told: dict[str, Any] = json.loads(answer.read())
            return told

    def get(self, name: str, path: str) -> dict[str, Any] | None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[name]}{path}") as answer:
                told: dict[str, Any] = json.loads(answer.read())
                return told
        except urllib.error.URLError:
            return None

    def board(self) -> dict[str, Any] | None:
        return self.get("queue", "/api/board") if self.get("intake", "/api/intake") else None

    def present(self) -> list[str] | None:
        """Return the offices that the router lets through."""
        inside = [
            "nsenter",
            "-t",
            str(self.running["calendar"].pid),
            "-n",
            "nft",
            "-j",
            "list",
            "set",
            "inet",
            "balai",
            "present",
        ]
        done = subprocess.run(inside, capture_output=True, check=False)
        if done.returncode:
            return None
        (found,) = [item["set"] for item in json.loads(done.stdout)["nftables"] if "set" in item]
        links = {element["concat"][0] for element in found.get("elem", [])}
        return sorted(name for name, office in OFFICES.items() if office["link"] in links)


class Tenant(http.server.BaseHTTPRequestHandler):
    """Stores once for each key, and loses the first answer to every fourth."""

    stored: dict[str, bytes] = {}
    asked: list[str] = []

    def do_POST(self) -> None:
        name, body = self.headers["Idempotency-Key"], self.rfile.read(int(self.headers["Content-Length"]))
        self.asked.append(name)
        new = name not in self.stored
        self.stored.setdefault(name, body)
        if new and len(self.stored) % 4 == 0:
            self.close_connection = True
            return
        words = json.dumps({"key": name, "sha256": hashlib.sha256(self.stored[name]).hexdigest()}).encode()
        self.send_response(201)
        self.send_header("Content-Length", str(len(words)))
        self.end_headers()
        self.wfile.write(words)

    def log_message(self, format: str, *args: object) -> None:
        """Keep the log short."""


@pytest.fixture
def mall(tmp_path: Path) -> Iterator[Mall]:
    made = Mall(tmp_path)
    (tmp_path / "authorities").mkdir()
    argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"]
    argv += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    argv += ["-keyout", f"{tmp_path}/key", "-out", f"{tmp_path}/authorities/localhost.crt"]
    subprocess.run(argv, check=True, capture_output=True)
    identity = subprocess.run(["age-keygen", "-o", f"{tmp_path}/identity"], check=True, capture_output=True, text=True)
    place = {
        "service": SERVICE, "title": {}, "url": f"https://localhost:{free_port()}/", "days": DARK_DAYS + 1, "mib": 1, "kib": 64,
        "kbit": 100_000, "recipient": identity.stderr.split()[-1],
    }  # fmt: skip
    born = (made.began - datetime.timedelta(days=7)).date().isoformat()
    days = {"timezone": ZONE, "not_before": born, "assignments": ASSIGNMENTS}
    letters = {
        name: {"letter": name[0].upper(), "title": name, "networks": office["networks"]}
        for name, office in OFFICES.items()
    }
    told = {
        "calendar": {**days, "holidays": [], "offices": OFFICES},
        "queue": {**days, "mall": "MPP", "kiosks": ["10.64.9.0/27"], "offices": letters, "texts": {}, "callers": {},
                  "openings": [], "closed_on": [], "satisfaction": {"elements": [], "texts": {}}},
        "intake": {"mall": "MPP", "site": "mpp-x", "kiosks": ["10.64.9.0/27"], "places": [place], "texts": {}},
    }  # fmt: skip
    for name, settings in told.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(settings))
    try:
        made.power()
        yield made
    finally:
        made.off()


@contextlib.contextmanager
def tenant(mall: Mall) -> Iterator[type[Tenant]]:
    """The tenant answers again."""
    Tenant.stored, Tenant.asked = {}, []
    (place,) = json.loads((mall.home / "intake.json").read_text())["places"]
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(place["url"].rstrip("/").rpartition(":")[2])), Tenant)
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trust.load_cert_chain(mall.home / "authorities/localhost.crt", mall.home / "key")
    server.socket = trust.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield Tenant
    server.shutdown()
    thread.join()
    server.server_close()


def test_for_fourteen_days_numbers_complaints_and_counters_go_on_and_then_all_is_sent_once_and_in_order(
    mall: Mall,
) -> None:
    eventually(lambda: len(mall.present() or []) == 2)
    mall.confirm(OWN_CLOCK)
    handed_in, settings = [], {"assignments": ASSIGNMENTS, "offices": OFFICES, "holidays": []}
    for day in range(DARK_DAYS + 1):
        mall.move(day)
        if day == 7:
            mall.power()
        wanted = calendar.present(settings, mall.today, trusted=True)
        drawn = [
            mall.post("queue", "/api/tickets", "10.64.9.2", office="dukcapil", key=f"ticket-{day}-{n}")["ticket"]
            for n in (1, 2)
        ]
        called = mall.post("queue", "/api/calls", "10.64.1.2", counter=1, key=f"calling-{day}")["ticket"]
        for n in range(EACH_DAY):
            handed_in.append(f"hari {day}, {n}")
            mall.post(
                "intake",
                "/api/intake",
                "10.64.9.2",
                service=SERVICE,
                key=f"complaint-{day:02}-{n:04}",
                words=handed_in[-1],
            )

        assert drawn == ["D001", "D002"], f"day {day}"
        assert called == "D001"
        assert (mall.board() or {})["day"] == str(mall.today)
        state = (mall.get("intake", "/api/intake") or {})["places"][0]
        assert (state["closed"], state["waiting"]) == ("", len(handed_in))
        eventually(lambda wanted=wanted: mall.present() == wanted)

    with tenant(mall) as there:
        eventually(lambda: (mall.get("intake", "/api/intake") or {})["places"][0]["waiting"] == 0, 30)
        bodies = list(there.stored.values())
        assert len(there.asked) > len(there.stored), "no answer was lost"
    opened = [json.loads(_opened(mall.home / "identity", body)) for body in bodies]
    assert [each["words"] for each in opened] == handed_in
    days = [datetime.datetime.fromtimestamp(each["taken"], ZoneInfo(ZONE)).date() for each in opened]
    assert (days[-1] - days[0]).days == DARK_DAYS

    mall.move(calendar.TRUST_DAYS + 1)
    eventually(lambda: mall.present() == ["dukcapil"])


def _opened(identity: Path, sealed: bytes) -> bytes:
    return subprocess.run(["age", "-d", "-i", identity], input=sealed, capture_output=True, check=True).stdout
