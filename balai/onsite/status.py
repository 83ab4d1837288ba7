"""
What works on a machine of a mall, what does not, and what to do now: `balai-mall status [--json]`.

It looks at the machine itself and asks nobody outside the mall but the data centre's end of the overlay. Each finding
is a sentence with its step, in the technician's language, and all of them are one short code for the telephone.
`balai-mall` alone is a menu of what a technician does next; `balai-mall tell` hands the verdict to the mall's server.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

SETTINGS = Path("/etc/balai/status.json")
UPLINKS = Path("/run/balai/uplinks.json")
CARDS = Path("/sys/class/net")
PRINTER = Path("/run/balai-screen/printer")  # what a kiosk's ticket printer last said of itself
SEEN = Path("/run/kiosk/seen")  # how many colours a screen has, told every 15 seconds
AUTHORITIES = Path("/usr/local/share/balai/tell/authorities")
SENDER = Path("/etc/systemd/system/balai-log-upload.service")
SENT = Path("/var/lib/balai-log-upload/state")  # written when the mall's server has taken what came
SENT_WITHIN = 3600  # seconds; a server that starts again is no news, and the audit asks for the same
STALE, LEAST_COLOURS = 90, 3
PATIENCE, STARTING, SETTLING, EVERY = 5.0, 60.0, 2.0, 5.0  # seconds
NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME: Python has no name for it
LEAST_FREE = 10  # hundredths of a disk
# A letter for each kind of finding: the code is these with the place in the machine's own list.
LETTERS = {
    "cable": "K",
    "service": "L",
    "disk": "D",
    "certificate": "C",
    "ended": "E",
    "line": "J",
    "outside": "O",
    "centre": "P",
    "clock": "W",
    "names": "N",
    "screen": "S",
    "journal": "B",
    "printer": "T",
    "paper": "R",
}


def run(*argv: str, patience: float = 10) -> tuple[bool, str]:
    """Return whether a program succeeded, and what it said."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=patience, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False, ""
    return done.returncode == 0, done.stdout


def cables(settings: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield cards without a signal."""
    for number, card in enumerate(settings["cards"], 1):
        try:
            signal = (CARDS / card["name"] / "carrier").read_text().strip() == "1"
        except OSError:  # not there, or switched off
            signal = False
        if not signal:
            yield {"kind": "cable", "number": number, "card": card["name"], "network": card["network"]}


def services(settings: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield services that do not run."""
    for number, unit in enumerate(settings["units"], 1):
        if not run("systemctl", "--quiet", "is-active", unit)[0]:
            yield {"kind": "service", "number": number, "unit": unit}


def disks(settings: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield disks that are nearly full."""
    for number, place in enumerate(settings["places"], 1):
        try:
            room = os.statvfs(place)
        except OSError:
            continue
        free = 100 * room.f_bavail // max(1, room.f_blocks)
        if free < LEAST_FREE:
            yield {"kind": "disk", "number": number, "place": place, "free": free}


def certificates(settings: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield certificates that have ended, or will within their notice; who needs one that is not there says so."""
    for number, entry in enumerate(settings["certificates"], 1):
        for path in sorted(Path("/").glob(entry["path"].lstrip("/"))):
            _, said = run("openssl", "x509", "-noout", "-enddate", "-in", str(path))
            try:
                end = ssl.cert_time_to_seconds(said.strip().removeprefix("notAfter="))
            except ValueError:
                continue
            left = end - time.time()
            if left <= entry["days"] * 86400:
                name, ends = entry["name"] or path.stem, time.strftime("%Y-%m-%d", time.gmtime(end))
                kind = "certificate" if left > 0 else "ended"
                yield {"kind": kind, "number": number, "name": name, "ends": ends, "days": int(left // 86400)}


def ways_out(settings: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield lines that are down, and the data centre when it is out of reach; a router knows both."""
    if not settings["lines"]:
        return
    try:
        seen = json.loads(UPLINKS.read_text())
    except (OSError, ValueError):
        seen = {"active": None, "healthy": {}}
    for number, line in enumerate(settings["lines"], 1):
        if not seen["healthy"].get(line["card"]):
            yield {"kind": "line", "number": number, **line}
    if seen["active"] is None:
        yield {"kind": "outside", "number": 0}
    elif settings["centres"] and not any(run("ping", "-n", "-q", "-c1", "-W2", a)[0] for a in settings["centres"]):
        yield {"kind": "centre", "number": 0}


def clock_and_names(settings: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a clock that follows nobody, and a resolver that does not know the mall's own names."""
    answered, said = run("chronyc", "-c", "tracking")
    if not answered or said.strip().split(",")[-1] == "Not synchronised":
        yield {"kind": "clock", "number": 0}
    if settings["name"] and not run("getent", "hosts", settings["name"])[0]:
        yield {"kind": "names", "number": 0, "name": settings["name"]}


def panel(settings: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a screen that is black, frozen or dark."""
    if not settings["screen"]:
        return
    try:
        told, colours = SEEN.stat().st_mtime, int(SEEN.read_text())
    except (OSError, ValueError):
        told, colours = 0.0, 0
    if time.time() - told > STALE or colours < LEAST_COLOURS:
        yield {"kind": "screen", "number": 0}


def journal(settings: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a journal that has not reached the mall's server for long, while the machine was on."""
    if not settings["sends"]:
        return
    try:
        since = SENDER.stat().st_mtime
        if SENT.exists():
            since = max(since, SENT.stat().st_mtime)
    except OSError:  # not installed yet, or not root
        return
    age = min(time.time() - since, time.monotonic())
    if age > SENT_WITHIN:
        yield {"kind": "journal", "number": 0, "hours": int(age // 3600)}


def tickets(settings: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a ticket printer that has no paper, or cannot print for another reason."""
    if not settings["printer"]:
        return
    try:
        told, said = PRINTER.stat().st_mtime, PRINTER.read_text()
    except OSError:
        told, said = 0.0, ""
    if time.time() - told > STALE or said != "works":
        yield {"kind": "paper" if said == "paper" else "printer", "number": 0, "at": settings["printer"]}


def findings(settings: dict[str, Any]) -> list[dict[str, Any]]:
    """Return everything that does not work, the likeliest cause first."""
    looks = (cables, services, disks, certificates, panel, tickets, ways_out, clock_and_names, journal)
    return [finding for look in looks for finding in look(settings)]


def code(found: list[dict[str, Any]]) -> str:
    """Return the findings as letters and numbers, `K2 L1`; OK when there is none."""
    return " ".join(f"{LETTERS[f['kind']]}{f['number'] or ''}" for f in found) or "OK"


def language() -> str:
    """Return the technician's language: Indonesian, unless the session asks for English."""
    wanted = os.environ.get("BALAI_LANG") or os.environ.get("LC_ALL") or os.environ.get("LANG") or ""
    return "en" if wanted.startswith("en") else "id"


def verdict(settings: dict[str, Any]) -> dict[str, Any]:
    """Return what does not work, as data."""
    found = findings(settings)
    return {"machine": settings["machine"], "code": code(found), "findings": found}


def words(settings: dict[str, Any]) -> dict[str, str]:
    """Return every sentence in the technician's language."""
    return {key: text[language()] for key, text in settings["texts"].items()}


def show(settings: dict[str, Any]) -> int:
    """Print the verdict; return 1 when something does not work."""
    texts, said = words(settings), verdict(settings)
    machine, found = said["machine"], said["findings"]
    print(texts["status_broken" if found else "status_fine"].format(machine=machine, count=len(found)))
    for place, finding in enumerate(found, 1):
        print(f"{place}. " + texts[f"status_{finding['kind']}"].format(**finding))
    if found:
        print(texts["status_call"].format(code=said["code"], machine=machine))
        number = settings["helpdesk"]
        print(texts["status_number" if number else "status_no_number"].format(number=number))
    return 1 if found else 0


def start(settings: dict[str, Any]) -> None:
    """Start the services of the machine's own list that have stopped, and say what became of each."""
    texts = words(settings)
    stopped = [finding["unit"] for finding in services(settings)]
    if not stopped:
        print(texts["status_none_stopped"])
        return
    for unit in stopped:
        run("systemctl", "reset-failed", unit)  # one that failed too often is not started before
        run("systemctl", "start", unit, patience=STARTING)
    time.sleep(SETTLING)  # one that ends at once was started all the same
    still = {finding["unit"] for finding in services(settings)}
    for unit in stopped:
        print(texts["status_not_started" if unit in still else "status_started"].format(unit=unit))


def addresses(settings: dict[str, Any]) -> None:
    """Print the addresses of each card, and where all verdicts of the mall are read."""
    texts = words(settings)
    none = texts["status_no_address"]
    try:
        cards = json.loads(run("ip", "-j", "address")[1] or "[]")
    except ValueError:
        cards = []
    for card in cards:
        own = [f"{a['local']}/{a['prefixlen']}" for a in card["addr_info"] if a["scope"] == "global"]
        if card["ifname"] != "lo":
            print(f"{card['ifname']}: {' '.join(own) or none}")
    print(texts["status_page"].format(url=settings["page"]))


def watch(settings: dict[str, Any]) -> None:
    """Print the verdict whenever it changes, until everything works."""
    print(words(settings)["status_watching"])
    before = None
    while before != "OK":
        now = code(findings(settings))
        if now != before:
            show(settings)
            before = now
        if now != "OK":
            time.sleep(EVERY)


def menu(settings: dict[str, Any]) -> int:
    """Do what the technician chooses, until there is nothing more to choose; return 0."""
    doings: dict[str, Callable[[dict[str, Any]], object]] = {"1": show, "2": start, "3": addresses, "4": watch}
    texts = words(settings)
    try:
        while True:
            print(texts["status_menu"].format(machine=settings["machine"]))
            chosen = input("> ").strip()
            if chosen == "0":
                return 0
            if chosen in doings:
                doings[chosen](settings)
            else:
                print(texts["status_which"])
    except (EOFError, KeyboardInterrupt):
        print()
        return 0


def trusting(name: str) -> ssl.SSLContext:
    """
    Return TLS settings that trust, for a name, the authorities by whose file's name it ends.

    Whether their time has come is not asked: a machine that has lost its clock has to be able to say so.
    """
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trust.verify_flags |= NO_CHECK_TIME
    for path in sorted(AUTHORITIES.glob("*.crt")):
        if f".{name}".endswith(f".{path.stem}"):
            trust.load_verify_locations(cafile=str(path))
    return trust


def post(address: str, name: str, body: bytes) -> int:
    """Hand something to the mall's server at one of its addresses; return its answer's code."""
    line = http.client.HTTPConnection(name, timeout=PATIENCE)  # over a way of its own, which is TLS's
    with socket.create_connection((address, 443), PATIENCE) as way:
        line.sock = trusting(name).wrap_socket(way, server_hostname=name)
        try:
            line.request("POST", "/api/verdicts", body, {"Content-Type": "application/json"})
            return line.getresponse().status
        finally:
            line.close()


def tell(settings: dict[str, Any]) -> int:
    """Tell the mall's server the verdict, at the first of its addresses that takes it; return 1 when none does."""
    body = json.dumps(verdict(settings)).encode()
    for address in settings["tell"]["addresses"]:
        try:
            answer = post(address, settings["tell"]["name"], body)
        except (OSError, http.client.HTTPException) as error:
            sys.stderr.write(f"{address}: {error}\n")
            continue
        if answer == 200:
            return 0
        sys.stderr.write(f"{address}: {answer}\n")
    return 1


def main(argv: list[str]) -> int:
    """Print the verdict; return 0 when everything works, 1 when something does not, 2 when it cannot be told."""
    if argv not in ([], ["status"], ["status", "--json"], ["tell"]):
        sys.stderr.write("balai-mall [status [--json] | tell]\n")
        return 2
    try:
        settings = json.loads(SETTINGS.read_text())
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{SETTINGS}: {error}\n")
        return 2
    if argv == ["tell"]:
        return tell(settings)
    if argv[1:]:
        said = verdict(settings)
        print(json.dumps(said))
        return 1 if said["findings"] else 0
    if not argv and sys.stdin.isatty() and sys.stdout.isatty():
        return menu(settings)
    return show(settings)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
