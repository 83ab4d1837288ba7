"""A kiosk in its mall: its session from outside (pictures of its panel, its processes, its sockets), and the bad days."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator

import pytest

from balai.errors import EnvironmentFault
from lab import internet, machines, screens

pytestmark = pytest.mark.lab

HOSTS = {host.short: host for host in machines.hosts()}
KIOSK, DISPLAY, SERVER = HOSTS["kiosk-1"], HOSTS["display-1"], HOSTS["server-1"]
KEYS = [
    "ctrl+t", "ctrl+n", "ctrl+shift+n", "ctrl+w", "ctrl+l", "ctrl+o", "ctrl+s", "ctrl+p", "ctrl+j", "ctrl+h", "ctrl+u", "ctrl+d",
    "ctrl+shift+i", "ctrl+shift+j", "ctrl+shift+c", "ctrl+shift+Delete", "ctrl+shift+Escape", "ctrl+shift+m", "ctrl+shift+o",
    "F1", "F3", "F6", "F7", "F11", "F12", "alt+d", "alt+e", "alt+f", "alt+Tab", "alt+Escape", "alt+Left", "alt+F2",
    "logo+d", "logo+Return", "logo+shift+q", "logo+shift+e", "ctrl+alt+F2", "ctrl+alt+t", "ctrl+alt+Delete", "Menu", "shift+F10",
]  # fmt: skip

STILL = 3.0  # seconds; a page looks every two


def on(host: machines.Host, script: str) -> str:
    return machines.inside(host, "sh", "-c", script).stdout.strip()


def eventually(true: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.5)


def state(host: machines.Host = KIOSK) -> dict:
    said = on(host, "curl -s http://127.0.0.1:8080/state.json")
    return json.loads(said) if said else {}


def places() -> dict[str, str]:
    return {place["name"]: place["state"] for place in state().get("places", [])}


def session() -> str:
    return on(KIOSK, "systemctl show kiosk -P InvocationID")


def still(host: machines.Host = KIOSK) -> bytes:
    """Return what a panel shows once it stands still for longer than its page waits between two looks at the mall."""
    last, since = b"", time.monotonic()
    deadline = since + 60
    while time.monotonic() < deadline:
        time.sleep(0.7)
        try:
            now = screens.picture(host)
        except EnvironmentFault:  # its session begins
            now = b""
        if not now or now != last:
            last, since = now, time.monotonic()
        elif time.monotonic() - since > STILL:
            return now
    raise AssertionError("the panel never stands still")


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """Each begins with a new session on a mall where all works."""
    for line in (1, 2):
        internet.restore(line)
    machines.inside(SERVER, "systemctl", "start", "balai-queue", "caddy")
    machines.inside(KIOSK, "systemctl", "restart", "balai-screen", "kiosk")
    eventually(lambda: set(places().values()) == {"works"} and state()["page"]["state"] == "works", 90)
    yield
    for line in (1, 2):
        internet.restore(line)
    machines.inside(SERVER, "systemctl", "start", "balai-queue", "caddy")


def finish() -> None:
    """Touch Finish."""
    socket = "$(ls /run/kiosk/sway-ipc.*.$(pgrep -o -x sway).sock)"
    script = f"SWAYSOCK={socket} /usr/local/lib/balai/kiosk-session finish"
    machines.inside(KIOSK, *screens.SESSION, "sh", "-c", script)


def test_no_key_leaves_the_page_and_the_bar_always_leads_back() -> None:
    before = still()

    for key in KEYS:
        screens.press(KIOSK, key)
        time.sleep(0.3)
        for touch in (screens.home, screens.home, None):  # a box, the refused page behind it, and what only Finish ends
            if screens.picture(KIOSK) == before:
                break
            time.sleep(1)  # a box that has just come takes no answer
            if touch:
                touch(KIOSK)
            else:
                finish()
                still()
            time.sleep(1)
        assert screens.picture(KIOSK) == before, f"{key}: nothing leads back"
        assert on(KIOSK, "pgrep -u kiosk -fc -- --type=gpu-process") == "1", f"{key}: a second browser"


def test_keys_do_reach_it_and_closing_it_begins_anew() -> None:
    first, before = session(), still()

    screens.press(KIOSK, "Tab")
    assert still() != before
    screens.press(KIOSK, "alt+F4")

    eventually(lambda: session() != first)
    assert still() == before


def test_the_browser_has_its_own_sandbox_and_no_right_beyond_its_user() -> None:
    words = on(KIOSK, "ps -u kiosk -o args= | grep -c -- --no-sandbox || true")
    status = "grep -hE '^(Uid|NoNewPrivs|Seccomp|CapEff):' /proc/$(pgrep -n -u kiosk -f -- --type=renderer)/status"
    eventually(lambda: "Seccomp" in on(KIOSK, status))  # one may have ended since it was named
    renderer = on(KIOSK, status)
    facts = dict(line.split(":", 1) for line in renderer.splitlines())

    assert words == "0"
    assert facts["Seccomp"].strip() == "2"
    assert facts["NoNewPrivs"].strip() == "1"
    assert "0" not in facts["Uid"].split()
    listening = on(KIOSK, "ss -Htlnp | grep -E 'chromium|sway' || true")
    assert listening == "", "nobody looks in from outside"
    for path in (
        "/etc/balai/screen.json",
        "/usr/local/share/balai/screen/index.html",
        "/etc/chromium/policies/managed/balai.json",
    ):
        assert machines.inside(KIOSK, "runuser", "-u", "kiosk", "--", "test", "-w", path).returncode == 1


def test_no_console_waits_behind_it() -> None:
    assert on(KIOSK, "systemctl list-units --state=active --no-legend 'getty@*' 'autovt@*' | wc -l") == "0"
    assert on(KIOSK, "systemctl is-enabled getty@.service autovt@.service ctrl-alt-del.target | sort -u") == "masked"


@pytest.mark.parametrize("how", ["finish", "kill", "power"])
def test_a_session_that_ends_leaves_nothing_and_a_new_one_comes(how: str) -> None:
    before, first = still(), session()
    on(KIOSK, "runuser -u kiosk -- sh -c 'echo mine > /run/kiosk/profile/mine; echo mine > /run/kiosk/mine'")

    if how == "finish":
        finish()
    elif how == "kill":
        on(KIOSK, "pkill -9 -u kiosk -f chromium")
    else:
        machines.power_cut("kiosk-1")

    eventually(lambda: session() not in ("", first), 60)
    assert still() == before
    assert on(KIOSK, "find / -xdev -name mine -newermt 2026-01-01 2>/dev/null; find /run/kiosk -name mine") == ""


def test_a_session_is_forgotten_when_nobody_touches_it_and_only_then() -> None:
    first = session()
    time.sleep(3)  # it counts as touched from its second second on

    on(KIOSK, "pkill -USR1 -x swayidle")  # the idle time is over
    time.sleep(3)
    assert session() == first, "nobody had touched it"

    machines.inside(KIOSK, *screens.SESSION, "wtype", "-k", "Tab")  # a key of the panel itself
    eventually(lambda: on(KIOSK, "ls /run/kiosk/touched"))
    on(KIOSK, "pkill -USR1 -x swayidle")
    eventually(lambda: session() not in ("", first))


def test_the_portal_is_the_pod_s_and_home_leads_back() -> None:
    before = still()

    screens.press(KIOSK, "shift+Tab", "Return")
    portal = still()
    hub = on(KIOSK, "ss -Htnp state established '( dport = :443 )' | grep -c chromium")
    screens.home(KIOSK)

    assert portal != before
    assert int(hub) >= 1, "it is not the browser that speaks with the data centre"
    assert still() == before


def test_without_a_way_out_services_say_no_numbers_go_on_and_all_comes_back() -> None:
    before = still()
    for line in (1, 2):
        internet.cut(line)

    eventually(lambda: {name for name, found in places().items() if found == "works"} == {"portal-layanan/aduan"}, 60)
    eventually(lambda: still() != before)
    dark = still()
    texts = state()["texts"]
    assert "tidak ada data Anda yang disimpan" in texts["screen_refuse"]["id"]
    screens.press(KIOSK, "shift+Tab", "shift+Tab", "Return")  # what can be touched now: the queue, and complaints
    drawing = still()
    screens.press(KIOSK, "Tab", "Tab", "Return")
    assert still() not in (dark, drawing)
    for line in (1, 2):
        internet.restore(line)
    screens.home(KIOSK)
    eventually(lambda: set(places().values()) == {"works"}, 90)
    eventually(lambda: still() == before)


def test_a_mall_s_server_that_is_gone_or_broken_is_said_and_the_services_stay() -> None:
    machines.inside(SERVER, "systemctl", "stop", "balai-queue")
    machines.inside(SERVER, "systemctl", "stop", "caddy")

    eventually(lambda: state()["page"]["state"] == "away", 30)
    assert {name for name, found in places().items() if found == "away"} == {"portal-layanan/aduan"}


def test_a_display_shows_its_page_has_no_bar_and_comes_back_to_it_by_itself() -> None:
    before = still(DISPLAY)
    machines.inside(SERVER, "systemctl", "stop", "caddy")
    eventually(lambda: state(DISPLAY)["page"]["state"] == "away")
    eventually(lambda: still(DISPLAY) != before)  # the numbers stay, with a word that they are the last ones
    machines.inside(DISPLAY, "systemctl", "restart", "kiosk")
    alone = still(DISPLAY)
    machines.inside(SERVER, "systemctl", "start", "caddy")

    eventually(lambda: still(DISPLAY) not in (alone, b""))
    assert on(DISPLAY, "pgrep -c 'waybar|wvkbd' || true") == "0"
