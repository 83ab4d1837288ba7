"""What the screens of a mall are for."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from balai.models.base import Model, Name, Text

# Pages of the mall's own server: drawing a number, calling one, the numbers called, and the satisfaction survey.
Page = Literal["antrean", "loket", "papan", "survei"]
CALLS: Page = "loket"
Words = Annotated[str, StringConstraints(min_length=3, max_length=48)]


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
