"""`python -m benchmarks.screens`: what a citizen waits for at a kiosk of the lab's mall, once its env is sourced."""

from __future__ import annotations

import json
import statistics
import time

from balai.errors import EnvironmentFault
from lab import machines, screens

(KIOSK,) = [host for host in machines.hosts() if host.short == "kiosk-1"]
DRAWS, A_SECOND = 300, 10
# One conversation for all, as a kiosk's browser keeps it; prints the milliseconds of each draw.
DRAW = """
import http.client, json, ssl, sys, threading, time
trust = ssl.create_default_context(cadata=sys.stdin.read())
host, count, rate = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
line = http.client.HTTPSConnection(host, context=trust)
began, took = time.monotonic(), []
for n in range(count):
    time.sleep(max(0, began + n / rate - time.monotonic()))
    t = time.monotonic()
    key = f"bench-{began}-{n}".replace(".", "-")
    line.request("POST", "/api/tickets", json.dumps({"office": "dukcapil", "key": key}))
    assert line.getresponse().read()
    took.append(1000 * (time.monotonic() - t))
print(json.dumps(took))
"""


def until_it_shows(page: bytes, seconds: float = 60) -> float:
    """Return the seconds until the kiosk's panel shows a page."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        try:
            if screens.picture(KIOSK) == page:
                return time.monotonic() - began
        except EnvironmentFault:  # there is no panel yet
            time.sleep(0.05)
    raise TimeoutError(KIOSK.name)


def session(page: bytes) -> float:
    """Return the seconds from the end of a session to the first page of the next."""
    machines.inside(KIOSK, "systemctl", "restart", "kiosk")
    return until_it_shows(page)


def power_on(page: bytes) -> float:
    """Return the seconds from power to the first page; a container has no firmware and no kernel to start."""
    began = time.monotonic()
    machines.power_cut("kiosk-1")
    until_it_shows(page)
    return time.monotonic() - began


def memory() -> float:
    """Return what the processes of a session hold, in MiB, shared pages counted once."""
    rollups = "cat $(pgrep -u kiosk | sed 's#.*#/proc/&/smaps_rollup#') 2>/dev/null"
    script = f"{rollups} | awk '/^Pss:/ {{s += $2}} END {{print s / 1024}}'"
    return float(machines.inside(KIOSK, "sh", "-c", script).stdout)


def draws(rate: float) -> list[float]:
    """Return the milliseconds of each draw, so many a second, from a kiosk over TLS."""
    trust = (screens.state.ROOT / "enrolment/authorities" / f"{machines.SITE}.balai.internal.crt").read_text()
    name = screens.SERVER.removeprefix("https://")
    done = machines.inside(
        KIOSK, "python3", "-c", DRAW, name, str(DRAWS), str(rate), stdin=trust, seconds=DRAWS / rate + 60
    )
    found: list[float] = json.loads(done.stdout)
    return found


def main() -> None:
    """Print the figures; take the numbers away again."""
    (server,) = [host for host in machines.hosts() if host.short == "server-1"]
    machines.inside(KIOSK, "systemctl", "restart", "kiosk")
    time.sleep(8)
    page = screens.picture(KIOSK)
    print(f"power to first page             {power_on(page):8.1f} s")
    print(f"one session to the next page    {statistics.median(session(page) for _ in range(5)):8.1f} s, median of 5")
    print(f"memory of a session             {memory():8.0f} MiB")
    took = sorted(draws(A_SECOND))
    most = took[int(len(took) * 0.99)]
    print(f"a number, {A_SECOND} a second          {statistics.median(took):8.1f} ms, median; 99 %: {most:.1f} ms")
    print(f"numbers one after another       {1000 / statistics.mean(draws(10_000)):8.0f} a second")
    base = "sqlite3.connect('/var/lib/private/balai-queue/queue.sqlite', isolation_level=None)"
    forget = f"import sqlite3; {base}.execute(\"DELETE FROM tickets WHERE key LIKE 'bench-%'\")"
    machines.inside(server, "python3", "-c", forget)


if __name__ == "__main__":
    main()
