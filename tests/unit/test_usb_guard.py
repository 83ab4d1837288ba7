"""
What may be plugged into a screen: the rules that usbguard is given, read as its manual (usbguard-rules.conf(5)) has them.

That usbguard reads them so, and what it does to a device, is its own; no machine here has USB.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from balai.errors import DataError
from balai.mall.inventory import of_machine
from balai.mall.usb import usb_rules_of
from balai.sites import INVENTORIES, SiteView, load_site

ROOT = INVENTORIES.parent
SITE = INVENTORIES / "sites/mpp-banyuwangi.yml"
VIEW = load_site(SITE)
HUB, KEYBOARD, MOUSE, TOUCH, PRINTER, STORAGE, CARD, OWN = (
    ["09:00:00"], ["03:01:01"], ["03:01:02"], ["03:00:00"], ["07:01:02"], ["08:06:50"], ["02:02:01", "0a:00:00"], ["ff:00:00"],
)  # fmt: skip


def site(folder: Path, more: str) -> SiteView:
    path = folder / "mpp-banyuwangi.yml"
    path.write_text(f"{SITE.read_text()}{more}\n")
    return load_site(path)


def rules(machine: str, view: SiteView = VIEW) -> list[str]:
    (found,) = (m for m in view.machines if m.name == f"mpp-banyuwangi-{machine}")
    return usb_rules_of(found, view)


def verdict(given: list[str], interfaces: list[str], device: str = "1234:5678") -> str:
    """Return what the first rule that fits says; `block` when none does."""
    for rule in given:
        target, its_id, operator, values = re.fullmatch(
            r"(allow|block)(?: id (\S+))? with-interface (match-all|one-of|none-of) \{ (.+) \}", rule
        ).groups()  # type: ignore[union-attr]
        patterns = [re.compile(value.replace("*", "..")) for value in values.split()]
        fits = [any(pattern.fullmatch(interface) for pattern in patterns) for interface in interfaces]
        met = {"match-all": all(fits), "one-of": any(fits), "none-of": not any(fits)}[operator]
        if met and its_id in (None, device):
            return target
    return "block"


def test_of_a_kiosk_where_nothing_is_declared_hubs_and_panels_are_let_in_and_no_keyboard() -> None:
    taken = {
        name: verdict(rules("kiosk-1"), found)
        for name, found in {
            "hub": HUB, "keyboard": KEYBOARD, "mouse": MOUSE, "touch": TOUCH, "printer": PRINTER, "storage": STORAGE, "card": CARD,
            "own": OWN, "touch and mouse": TOUCH + MOUSE, "touch and keyboard": TOUCH + KEYBOARD, "storage in a hub": HUB + STORAGE,
        }.items()
    }  # fmt: skip

    assert {name for name, target in taken.items() if target == "allow"} == {"hub", "touch", "mouse", "touch and mouse"}


def test_a_display_that_nobody_touches_takes_in_hubs_alone() -> None:
    assert rules("display-1") == [
        "allow with-interface match-all { 09:*:* }",
        "block with-interface one-of { 03:01:01 }",
    ]


def test_a_panel_that_is_declared_is_the_only_one_and_is_no_keyboard(tmp_path: Path) -> None:
    view = site(tmp_path, 'usb: {kiosk-1: [{kind: panel, id: "0eef:c000"}]}')
    given = rules("kiosk-1", view)

    assert verdict(given, TOUCH, "0eef:c000") == verdict(given, TOUCH + OWN, "0eef:c000") == "allow"
    assert verdict(given, TOUCH) == "block"
    assert verdict(given, TOUCH + KEYBOARD, "0eef:c000") == "block"
    assert verdict(given, STORAGE, "0eef:c000") == "block"
    assert verdict(rules("kiosk-2", view), TOUCH) == "allow", "its own panel is not known"


def test_a_keyboard_is_let_in_where_it_is_declared_and_nowhere_else(tmp_path: Path) -> None:
    view = site(
        tmp_path, 'usb: {kiosk-1: [{kind: keyboard, id: "046d:c31c"}], display-1: [{kind: other, id: "0bda:8153"}]}'
    )

    assert verdict(rules("kiosk-1", view), KEYBOARD, "046d:c31c") == "allow"
    assert verdict(rules("kiosk-1", view), KEYBOARD + STORAGE, "046d:c31c") == "block"
    assert verdict(rules("kiosk-1", view), KEYBOARD, "046d:c31d") == "block"
    assert verdict(rules("kiosk-2", view), KEYBOARD, "046d:c31c") == "block"
    assert verdict(rules("display-1", view), CARD, "0bda:8153") == "allow"
    assert verdict(rules("display-1", view), CARD + KEYBOARD, "0bda:8153") == "block"
    assert verdict(rules("display-1", view), CARD) == "block"


@pytest.mark.parametrize(
    ("printer", "known", "other"),
    [
        ("{at: /dev/usb/lp0}", "allow", "allow"),
        ('{at: /dev/usb/lp0, usb: "04b8:0202"}', "allow", "block"),
        ('{at: "127.0.0.1:9100"}', "block", "block"),
    ],
)
def test_a_ticket_printer_is_let_in_where_one_is_declared(tmp_path: Path, printer: str, known: str, other: str) -> None:
    given = rules("kiosk-1", site(tmp_path, f"printers: {{kiosk-1: {printer}}}"))

    assert verdict(given, PRINTER, "04b8:0202") == known
    assert verdict(given, PRINTER) == other
    assert verdict(given, PRINTER + KEYBOARD, "04b8:0202") == "block"
    assert verdict(given, PRINTER + STORAGE, "04b8:0202") == "block"


@pytest.mark.parametrize(
    ("usb", "given"),
    [
        ('{kiosk-9: [{kind: panel, id: "0eef:c000"}]}', "kiosk-9"),
        ('{server-1: [{kind: panel, id: "0eef:c000"}]}', "server-1"),
        ('{kiosk-1: [{kind: camera, id: "0eef:c000"}]}', "camera"),
        ('{kiosk-1: [{kind: panel, id: "*:*"}]}', "*:*"),
        ("{kiosk-1: [{kind: panel, id: unknown}]}", "unknown"),
    ],
)
def test_devices_and_machines_that_there_are_not_are_refused_with_their_lines(
    tmp_path: Path, usb: str, given: str
) -> None:
    with pytest.raises(DataError) as caught:
        site(tmp_path, f"usb: {usb}")

    (problem,) = caught.value.problems
    assert problem.line
    assert given in problem.given


def test_every_screen_is_told_and_no_other_machine() -> None:
    told = {machine.kind for machine in VIEW.machines if "usb_guard_rules" in of_machine(machine, VIEW)}

    assert told == {"kiosk", "display"}


def test_a_rule_without_a_kind_is_refused_by_the_role() -> None:
    (task,) = yaml.safe_load((ROOT / "roles/usb_guard/tasks/validate.yml").read_text())
    pattern = re.search(r"reject\('search', '(.+)'\)", task["ansible.builtin.assert"]["that"])[1]  # type: ignore[index]

    assert all(re.search(pattern, rule) for rule in rules("kiosk-1"))
    for rule in ("allow", "allow id 0eef:c000", "allow id *:*", 'allow name "x"'):
        assert not re.search(pattern, rule)


@pytest.mark.skipif(
    not shutil.which("usbguard-rule-parser"), reason="usbguard-rule-parser (Debian's usbguard) is not here"
)
def test_usbguard_itself_reads_every_rule(tmp_path: Path) -> None:
    more = 'usb: {kiosk-1: [{kind: keyboard, id: "046d:c31c"}, {kind: panel, id: "0eef:c000"}, {kind: other, id: "0bda:8153"}]}'
    view = site(tmp_path, f'{more}\nprinters: {{kiosk-1: {{at: /dev/usb/lp0, usb: "04b8:0202"}}}}')
    for rule in {*rules("kiosk-1"), *rules("display-1"), *rules("kiosk-1", view)}:
        done = subprocess.run(["usbguard-rule-parser", rule], capture_output=True, text=True, check=False)

        assert done.returncode == 0, done.stderr
        assert f"OUTPUT: {rule}" in done.stdout
    assert subprocess.run(["usbguard-rule-parser", "alow id *:*"], capture_output=True, check=False).returncode != 0
