"""What a person in the mall does and sees: keys of a kiosk, pictures of its panel, a counter that calls."""

from __future__ import annotations

import base64
import datetime
import time
from zoneinfo import ZoneInfo

from balai.errors import EnvironmentFault
from balai.mall.screens import screen_of
from balai.onsite.hours import opens
from lab import machines, state

PICTURES = state.ROOT / "screens"
SESSION = ["runuser", "-u", "kiosk", "--", "env", "XDG_RUNTIME_DIR=/run/kiosk", "WAYLAND_DISPLAY=wayland-1"]
SERVER = f"https://server-1.{machines.SITE}.balai.internal"


def picture(host: machines.Host) -> bytes:
    """Return what a panel shows, as PNG, from its compositor."""
    done = machines.inside(host, *SESSION, "sh", "-c", "grim -t png - | base64 -w0")
    if done.returncode or not done.stdout:
        raise EnvironmentFault(f"{host.name} shows nothing: {done.stderr.strip()}")
    return base64.b64decode(done.stdout)


def press(host: machines.Host, *keys: str) -> None:
    """Press keys on a kiosk's keyboard, each as `Tab`, `shift+Tab` or `ctrl+shift+i`."""
    for combination in keys:
        *held, key = combination.split("+")
        words = [word for name in held for word in ("-M", name)]
        script = f"WAYLAND_DISPLAY=$(cat /run/kiosk/window) wtype {' '.join(words)} -k {key}"
        machines.inside(host, *SESSION, "sh", "-c", script)
        time.sleep(0.1)


def home(host: machines.Host) -> None:
    """Touch Home."""
    machines.inside(host, *SESSION, "/usr/local/lib/balai/kiosk-session", "home")


def post(host: machines.Host, path: str, body: str) -> str:
    """Ask the mall's queue from a machine of the mall, as its page does; return the answer."""
    trust = state.ROOT / "enrolment/authorities" / f"{machines.SITE}.balai.internal.crt"
    argv = ["curl", "-sS", "-m", "10", "--cacert", "/dev/stdin", "-X", "POST", "-d", body, SERVER + path]
    done = machines.inside(host, *argv, stdin=trust.read_text())
    return done.stdout + done.stderr


def show() -> str:
    """
    Draw a number at the kiosk, call it from its counter, open the portal; keep a picture of each panel.

    Outside the mall's opening hours the kiosk offers nothing: the picture of its page is all there is.

    Raises:
        EnvironmentFault: A panel shows the same after a step as before it.
    """
    hosts = {host.short: host for host in machines.hosts()}
    kiosk, display = hosts["kiosk-1"], hosts["display-1"]
    counters = [host for host in machines.visitors() if host.name == "office-1"]
    machines.inside(kiosk, "systemctl", "restart", "kiosk")
    before = picture(display)
    kept = {"kiosk-home": _changed(kiosk, b"")}
    if opening := _opening(kiosk):
        _keep(kept)
        return f"the mall is closed until {opening}; kiosk-home in {PICTURES}"
    press(kiosk, "Tab", "Tab", "Tab", "Tab", "Return")
    drawing = _changed(kiosk, kept["kiosk-home"])
    if counters:
        press(kiosk, "Tab", "Tab", "Return")
        kept["kiosk-number"] = _changed(kiosk, drawing)
        post(counters[0], "/api/calls", f'{{"counter": 1, "key": "lab-{time.time_ns()}"}}')
        kept["display"] = _changed(display, before)
    home(kiosk)
    _changed(kiosk, kept.get("kiosk-number", drawing))
    press(kiosk, "shift+Tab", "Return")
    kept["kiosk-portal"] = _changed(kiosk, kept["kiosk-home"])
    _keep(kept)
    return f"{', '.join(kept)} in {PICTURES}"


def _opening(kiosk: machines.Host) -> str:
    """Return when the mall opens if it is closed, as its kiosk says; "" while it is open."""
    view = machines.site()
    (machine,) = [machine for machine in view.machines if machine.name == kiosk.name]
    settings = screen_of(machine, view)
    return opens(settings, datetime.datetime.now(ZoneInfo(settings["timezone"])))


def _keep(pictures: dict[str, bytes]) -> None:
    PICTURES.mkdir(exist_ok=True)
    for name, content in pictures.items():
        (PICTURES / f"{name}.png").write_bytes(content)


def _changed(host: machines.Host, before: bytes) -> bytes:
    """Return what a panel shows once it has changed and stands still for a second."""
    last, deadline = b"", time.monotonic() + 45  # the machine may be making clusters meanwhile
    while time.monotonic() < deadline:
        time.sleep(1)
        try:
            now = picture(host)
        except EnvironmentFault:  # its session begins
            now = b""
        if now == last and now not in (b"", before):
            return now
        last = now
    raise EnvironmentFault(f"{host.name} shows the same as before. Look at `journalctl -u kiosk` on it.")
