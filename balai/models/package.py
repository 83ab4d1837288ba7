"""Packages of a mall's machines: where its server gets them, and how much of its disk it keeps them on."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from balai.models.base import Model, Text

MirrorPath = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*(/[a-z0-9][a-z0-9-]*){0,3}$")]
# Without a port: the flow `updates` lets a server out to those of http and https.
Upstream = Annotated[
    str, StringConstraints(pattern=r"^https?://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(/[A-Za-z0-9._-]+){0,6}$")
]


class Mirror(Model):
    """
    One mirror that a cache passes on.

    Attributes:
        path: First part of what a machine asks for, `debian` of http://…/debian/dists/…, whatever host it names.
        upstream: Where the cache gets it.
    """

    path: MirrorPath
    upstream: Upstream


class Packages(Model):
    """
    inventories/packages.yml.

    Attributes:
        mirrors: What a cache passes on; empty for what the server's own package sources name.
        mib: How much it keeps.
        free_mib: Room on the disk that it leaves; what was not asked for longest goes first.
        days: What nobody has asked for so long goes.
    """

    note: Text
    mirrors: list[Mirror]
    mib: int = Field(ge=512, le=1_048_576)
    free_mib: int = Field(ge=512, le=1_048_576)
    days: int = Field(ge=21, le=365)  # longer than a mall may be dark, with the week until its next window

    @model_validator(mode="after")
    def _each_path_once(self) -> Packages:
        paths = [mirror.path for mirror in self.mirrors]
        twice = sorted({path for path in paths if paths.count(path) > 1})
        if twice:
            raise ValueError(f"these paths stand twice: {', '.join(twice)}")
        return self
