"""
Keep a mall's way out on the first uplink that works: `uplinks.py SETTINGS`.

Each uplink is probed through itself, by its own table and mark, every INTERVAL seconds. FALL failures
in a row take it out, RISE successes bring it back. The preferred default route goes to the first healthy
uplink; each uplink keeps a default of its own at a high metric, without which the kernel's reverse-path check
would drop the answers to the probes of a healthy uplink, and no uplink could ever come back.

With no uplink left, what is behind the overlay is refused at once: who asks a service of the nation is told no in a
millisecond, and does not wait for an answer that cannot come.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

INTERVAL, FALL, RISE = 1.0, 3, 5
PREFERRED, FIRST_SPARE, FIRST_TABLE = 50, 900, 101
REFUSING_RULE, REFUSING_TABLE = "900", "100"  # looked at before the main table; empty while there is a way out
STATE = Path("/run/balai/uplinks.json")


@dataclass
class Health:
    """Whether an uplink works, from probes in a row."""

    up: bool = True
    against: int = 0

    def learn(self, answered: bool) -> bool:
        """Take in one probe; return whether the verdict changed."""
        self.against = 0 if answered == self.up else self.against + 1
        if self.against < (RISE if answered else FALL):
            return False
        self.up, self.against = answered, 0
        return True


def ip(*words: str) -> subprocess.CompletedProcess[str]:
    """Run `ip`; a link that is gone is no error."""
    return subprocess.run(["ip", *words], capture_output=True, text=True, check=False)


def gateways(device: str, family: str) -> str | None:
    """Return the gateway that the provider gave (by DHCP or router advertisement) or that is configured."""
    routes = json.loads(ip(f"-{family}", "-j", "route", "show", "default", "dev", device).stdout or "[]")
    learned = [r for r in routes if r.get("gateway") and r.get("metric") not in _ours()]
    return str(learned[0]["gateway"]) if learned else None


def _ours() -> set[int]:
    return {PREFERRED, *range(FIRST_SPARE, FIRST_SPARE + 9)}


class Uplinks:
    """The uplinks of this machine, in order of preference."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.devices: list[str] = settings["devices"]
        self.targets: list[str] = settings["targets"]
        self.beyond: list[str] = settings["beyond"]
        self.refusing: bool | None = None
        self.health = {device: Health() for device in self.devices}
        self.known: dict[tuple[str, str], str] = {}
        self.active: str | None = None

    def routes(self) -> None:
        """Put back what a lost carrier takes away: rule, table and spare default of each uplink."""
        for n, device in enumerate(self.devices):
            table = str(FIRST_TABLE + n)
            for family in ("4", "6"):
                if gateway := gateways(device, family):
                    self.known[device, family] = gateway
                way = self.known.get((device, family))
                if way is None:
                    continue
                ip(f"-{family}", "route", "replace", "default", "via", way, "dev", device, "table", table)
                spare = str(FIRST_SPARE + n)
                ip(f"-{family}", "route", "replace", "default", "via", way, "dev", device, "metric", spare)
                if f"fwmark 0x{int(table):x} lookup {table}" not in ip(f"-{family}", "rule").stdout:
                    ip(f"-{family}", "rule", "add", "pref", str(1000 + n), "fwmark", table, "lookup", table)

    def probe(self) -> None:
        """Ask through each uplink at once; any target's answer is enough."""
        running = {}
        for n, device in enumerate(self.devices):
            way = self.known.get((device, "4"))
            for target in self.targets or ([way] if way else []):
                argv = ["ping", "-n", "-q", "-c1", "-W1", "-m", str(FIRST_TABLE + n), "-I", device, target]
                running[device, target] = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        answered = dict.fromkeys(self.devices, False)
        for (device, _), process in running.items():
            answered[device] |= process.wait() == 0
        for device, yes in answered.items():
            if self.health[device].learn(yes):
                print(device, "up" if yes else "DOWN", flush=True)

    def choose(self) -> None:
        """Prefer the first healthy uplink; with none, leave the routes as they are and refuse what is beyond."""
        chosen = next((d for d in self.devices if self.health[d].up and (d, "4") in self.known), None)
        self.refuse(bool(self.devices) and not any(health.up for health in self.health.values()))
        if chosen is None:
            return
        for family in ("4", "6"):
            if way := self.known.get((chosen, family)):
                ip(f"-{family}", "route", "replace", "default", "via", way, "dev", chosen, "metric", str(PREFERRED))
        if chosen == self.active:
            return
        for device in self.devices:
            if device != chosen:
                for family in ("4", "6"):
                    ip(f"-{family}", "route", "del", "default", "dev", device, "metric", str(PREFERRED))
        if self.active is not None:  # translated conversations carry the old uplink's address for ever
            for family in ("ipv4", "ipv6"):
                subprocess.run(["conntrack", "-D", "-f", family, "--src-nat"], capture_output=True, check=False)
        self.active = chosen
        print("active", chosen, flush=True)

    def refuse(self, refused: bool) -> None:
        """Refuse the networks behind the overlay, or let them go their way again."""
        if refused == self.refusing:
            return
        for family in ("4", "6"):
            if f"lookup {REFUSING_TABLE}" not in ip(f"-{family}", "rule").stdout:
                ip(f"-{family}", "rule", "add", "pref", REFUSING_RULE, "lookup", REFUSING_TABLE)
            ip(f"-{family}", "route", "flush", "table", REFUSING_TABLE)
            for network in self.beyond if refused else []:
                if (":" in network) == (family == "6"):
                    ip(f"-{family}", "route", "replace", "unreachable", network, "table", REFUSING_TABLE)
        self.refusing = refused

    def tell(self) -> None:
        """Leave the state where a technician and the audit read it."""
        STATE.parent.mkdir(parents=True, exist_ok=True)
        partial = STATE.with_suffix(".new")
        healthy = {device: health.up for device, health in self.health.items()}
        active = None if self.refusing else self.active
        partial.write_text(json.dumps({"active": active, "healthy": healthy}) + "\n")
        partial.replace(STATE)


def main() -> None:
    """Probe and choose until the end."""
    uplinks = Uplinks(json.loads(Path(sys.argv[1]).read_text()))
    while True:
        began = time.monotonic()
        uplinks.routes()
        uplinks.probe()
        uplinks.choose()
        uplinks.tell()
        time.sleep(max(0.0, INTERVAL - (time.monotonic() - began)))


if __name__ == "__main__":
    main()
