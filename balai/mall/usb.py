"""
What may be plugged into a screen: rules of usbguard, from what is declared and nothing else.

The first rule that fits a device decides, and none refuses it. A class is what a device says of itself: where an id is
declared, nothing else of its kind is let in.
"""

from __future__ import annotations

from balai.mall.screens import printer_of, profile_of, short_name
from balai.sites import Machine, SiteView

HUBS = "allow with-interface match-all { 09:*:* }"
NO_KEYBOARD = "block with-interface one-of { 03:01:01 }"
# What a device of a kind may be besides; `ff` is its maker's own.
INTERFACES = {"panel": "{ 03:*:* ff:*:* }", "printer": "{ 07:*:* ff:*:* }"}
ANY_PANEL = "allow with-interface match-all { 03:*:* }"
ANY_PRINTER = "allow with-interface match-all { 07:*:* }"


def usb_rules_of(machine: Machine, view: SiteView) -> list[str]:
    """Return the rules of a kiosk or display, in order; what no rule names is refused."""
    devices = view.site.usb.get(short_name(machine, view), [])
    printer = printer_of(machine, view)
    keyboards = [
        f"allow id {device.id} with-interface match-all {{ 03:*:* }}" for device in devices if device.kind == "keyboard"
    ]
    others = [
        f"allow id {device.id} with-interface none-of {{ 03:01:01 }}" for device in devices if device.kind == "other"
    ]
    panels = [_of("panel", device.id) for device in devices if device.kind == "panel"]
    if not panels and profile_of(machine, view)[1].touch:
        panels = [ANY_PANEL]
    printers = []
    if printer and printer.at.startswith("/dev/"):
        printers = [ANY_PRINTER if printer.usb == "unknown" else _of("printer", printer.usb)]
    return [HUBS, *keyboards, NO_KEYBOARD, *panels, *printers, *others]


def _of(kind: str, device: str) -> str:
    return f"allow id {device} with-interface match-all {INTERFACES[kind]}"
