"""What the screens of a mall are for."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from balai.models.base import Model, Name, Text

# Pages of the mall's own server: drawing a number, calling one, the numbers called, and the satisfaction survey.
Page = Literal["antrean", "loket", "papan", "survei"]
CALLS: Page = "loket"
Words = Annotated[str, StringConstraints(min_length=3, max_length=48)]


# Vendor and product, as `lsusb` says them; of what nobody has looked at they are unknown.
UsbId = Annotated[str, StringConstraints(pattern=r"^(unknown|[0-9a-f]{4}:[0-9a-f]{4})$")]


class UsbDevice(Model):
    """
    A device that may be plugged into a screen's USB sockets; all that is not declared is refused.

    Attributes:
        kind: A `panel` that is touched, a `keyboard` (none is let in but these), or something else (`other`).
    """

    kind: Literal["panel", "keyboard", "other"]
    id: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{4}:[0-9a-f]{4}$")]


class Printer(Model):
    """
    A thermal ticket printer (ESC/POS) of a kiosk that gives numbers; none is there until somebody has written it down.

    Attributes:
        at: The kiosk's line printer, or a port of the kiosk itself behind which a vendor's program has one.
        columns: Letters in a line of its paper: 32 is a planning default, which also fits the wider ones.
        usb: Which device it is; the guard of USB sockets lets in no other where it is known.
    """

    at: Annotated[str, StringConstraints(pattern=r"^(/dev/usb/lp[0-9]|127\.0\.0\.1:9100)$")]
    columns: Literal[32, 42, 48] = 32
    usb: UsbId = "unknown"

    @model_validator(mode="after")
    def _on_usb(self) -> Printer:
        if self.usb != "unknown" and not self.at.startswith("/dev/"):
            raise ValueError("usb stands with a printer at /dev/usb/…, and only there")
        return self


class Profile(Model):
    """
    What one kind of screen shows, and to whom.

    Attributes:
        page: Page of the mall's own server that it offers; one that nobody touches shows it at once.
        services: Whether the services that flows let its machine begin with are offered.
        touch: Whether citizens touch it: it has a bar with Home, keyboard and Finish, and forgets everybody.
        idle_seconds: After how long without a touch the session ends and its traces are gone.
        printing: Whether pages may print.
    """

    title: Words
    title_en: Words
    page: Page | None = None
    services: bool = False
    touch: bool = False
    idle_seconds: int | None = Field(default=None, ge=15, le=600)
    printing: bool = False

    @model_validator(mode="after")
    def _forgets(self) -> Profile:
        if self.touch != (self.idle_seconds is not None):
            raise ValueError("idle_seconds stands with touch: true, and only there")
        if not (self.page or self.services):
            raise ValueError("a profile shows a page, services, or both")
        if not self.touch and (self.services or not self.page):
            raise ValueError("a screen that nobody touches shows one page and no services")
        return self


class Screens(Model):
    """inventories/screens.yml: the profiles, and which one a machine has that its site gives no other."""

    basis: Text
    first_kiosk: Name
    kiosk: Name
    display: Name
    profiles: dict[Name, Profile] = Field(min_length=1)

    @model_validator(mode="after")
    def _defined(self) -> Screens:
        missing = {self.first_kiosk, self.kiosk, self.display} - set(self.profiles)
        if missing:
            raise ValueError(f"profiles that are not defined: {', '.join(sorted(missing))}")
        if CALLS in {self.profiles[name].page for name in (self.first_kiosk, self.kiosk, self.display)}:
            raise ValueError(f"a screen that shows {CALLS} stands at a counter, which only a site's file can say")
        return self
