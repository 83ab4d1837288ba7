"""
A ticket printer at a real kiosk: its browser, its page of the queue and its own page, with what the inventory would tell them.

The lab's mall declares none, so the kiosk and the server are told of one for the time of these tests. It is a stand-in: a
program on a port of the kiosk that records what it is told on paper that is a file, and answers DLE EOT.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from balai.mall.inventory import status_of
from balai.mall.screens import policies_of, screen_of
from balai.models.screen import Printer
from lab import machines
from tests.host.browser import Browser

pytestmark = pytest.mark.lab

HOSTS = {host.short: host for host in machines.hosts()}
KIOSK, SERVER = HOSTS["kiosk-1"], HOSTS["server-1"]
TOLD = ("/etc/balai/screen.json", "/etc/balai/status.json", "/etc/chromium/policies/managed/balai.json")
CADDY, OWN, MORE = "/etc/caddy/Caddyfile", "connect-src 'self';", "connect-src 'self' http://127.0.0.1:8080;"
UNIT, PAPER, EMPTY, CUT = "balai-stand-in", "/run/balai-paper", "/run/balai-empty", "\x1dVB"
DROP = "/run/systemd/system/balai-screen.service.d"
STAND_IN = f"""
import os, re, socket
server = socket.create_server(("127.0.0.1", 9100))
while True:
    way, _ = server.accept()
    with way, open({PAPER!r}, "ab", 0) as paper:
        while told := way.recv(64):
            for which in re.findall(rb"\\x10\\x04(.)", told, re.DOTALL):
                way.send(bytes([0x12 | (0x60 if which == b"\\x04" and os.path.exists({EMPTY!r}) else 0)]))
            paper.write(re.sub(rb"\\x10\\x04.", b"", told, flags=re.DOTALL))
"""


def on(host: machines.Host, script: str, stdin: str = "") -> str:
    return machines.inside(host, "sh", "-c", script, stdin=stdin).stdout


def eventually(true: Callable[[], Any], seconds: float = 30) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < deadline
        time.sleep(0.3)
    return found


@pytest.fixture(scope="module")
def printing() -> Iterator[dict[str, Any]]:
    """A kiosk with a printer, as the inventory would have it; the policies of its browser, with a way to look in."""
    view = machines.site()
    printers = {"kiosk-1": Printer(at="127.0.0.1:9100")}
    view = dataclasses.replace(view, site=view.site.model_copy(update={"printers": printers}))
    (kiosk,) = (machine for machine in view.machines if machine.name == KIOSK.name)
    before = {path: on(KIOSK, f"cat {path}") for path in TOLD}
    caddy = on(SERVER, f"cat {CADDY}")
    assert OWN in caddy
    told = (screen_of(kiosk, view), status_of(kiosk, view))
    for path, settings in zip(TOLD, told, strict=False):
        on(KIOSK, f"cat > {path}", json.dumps(settings))
    on(KIOSK, f"mkdir -p {DROP}; cat > {DROP}/stand-in.conf", "[Service]\nRuntimeDirectory=balai-screen\n")
    on(KIOSK, "cat > /run/balai-stand-in.py", STAND_IN)
    on(KIOSK, f"systemd-run -q --collect --unit={UNIT} python3 -I /run/balai-stand-in.py")
    on(KIOSK, "systemctl daemon-reload; systemctl restart balai-screen")
    on(SERVER, f"cat > {CADDY}", caddy.replace(OWN, MORE))
    on(SERVER, "systemctl restart caddy")
    yield {
        **json.loads(before[TOLD[2]]), **policies_of(kiosk, view),
        "DeveloperToolsAvailability": 1, "RemoteDebuggingAllowed": True,
    }  # fmt: skip
    for path in TOLD:
        on(KIOSK, f"cat > {path}", before[path])
    on(KIOSK, f"systemctl stop {UNIT}; rm -rf {DROP} {PAPER} {EMPTY} /run/balai-stand-in.py")
    on(KIOSK, "systemctl daemon-reload; systemctl restart balai-screen kiosk")
    on(SERVER, f"cat > {CADDY}", caddy)
    on(SERVER, "systemctl restart caddy")


def paper() -> str:
    return on(KIOSK, f"cat {PAPER} 2>/dev/null")


def test_a_number_is_printed_once_and_without_paper_the_citizen_is_told_to_remember_it(
    printing: dict[str, Any],
) -> None:
    with Browser(KIOSK, printing) as browser:

        def shown() -> str:
            return str(browser.run("document.querySelector('main').innerText"))

        def touch(place: int) -> None:
            browser.run(f"[...document.querySelectorAll('main a, main button')].at({place}).click()")

        browser.open("http://127.0.0.1:8080/")
        eventually(lambda: browser.run("document.querySelector('main a.first')?.href.endsWith('/antrean/#cetak')"))
        touch(0)
        eventually(lambda: browser.run("document.querySelectorAll('main button strong').length"))
        touch(0)
        eventually(lambda: "Ambil kertas nomor Anda" in shown())
        number = str(browser.run("document.querySelector('.ticket b').textContent"))
        assert f"{number}\n" in paper()
        assert paper().count(CUT) == 1

        on(KIOSK, f"touch {EMPTY}")
        touch(0)
        eventually(lambda: browser.run("document.querySelectorAll('main button strong').length"))
        touch(0)
        eventually(lambda: "Kertas habis" in shown() and "tetap berlaku" in shown())
        assert paper().count(CUT) == 1
        on(KIOSK, f"rm {EMPTY}")
        touch(-1)
        eventually(lambda: "Ambil kertas nomor Anda" in shown())
        assert paper().count(CUT) == 2


def test_the_verdict_names_the_printer_and_no_other_page_prints(printing: dict[str, Any]) -> None:
    before = paper()
    body = json.dumps({"office": "dukcapil", "key": f"lab-{time.time_ns()}", "attempt": 1})
    ask = "curl -s -o /dev/null -w '%{http_code}' -H 'Content-Type: application/json' -H 'Origin: https://portal-layanan.balai.internal'"
    assert on(KIOSK, f"{ask} -d @- http://127.0.0.1:8080/ticket", body) == "403"
    assert paper() == before

    on(KIOSK, f"systemctl stop {UNIT}; systemctl restart balai-screen")
    eventually(lambda: on(KIOSK, "cat /run/balai-screen/printer") == "away")
    code = json.loads(on(KIOSK, "balai-mall status --json"))["code"].split()
    on(KIOSK, f"systemd-run -q --collect --unit={UNIT} python3 -I /run/balai-stand-in.py")

    assert "T" in code


def test_the_rules_for_usb_that_lie_there_are_read_by_usbguard_itself() -> None:
    """What it does to a device cannot be seen: a container has no USB."""
    said = machines.inside(KIOSK, "usbguard-rule-parser", "-f", "/etc/usbguard/rules.conf")

    assert said.returncode == 0, said.stderr
    assert "OUTPUT: block with-interface one-of { 03:01:01 }" in said.stdout
    assert on(KIOSK, "stat -c %a /etc/usbguard/rules.conf /etc/usbguard/usbguard-daemon.conf").split() == ["600", "600"]
