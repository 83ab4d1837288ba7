"""`balai validate`: the estate, file by file and against itself."""

from __future__ import annotations

from pathlib import Path

import click

from balai.errors import shown
from balai.estate import Estate, load_estate
from balai.sites import INVENTORIES
from balai.text import say

_root = click.option(
    "--root",
    type=click.Path(path_type=Path, file_okay=False),
    default=INVENTORIES,
    show_default=False,
    help="Folder of the inventories; the project's own by default.",
)


@click.command()
@_root
def schemas(root: Path) -> None:
    """Write a JSON Schema of each kind of file to schemas/ of the inventories, for editors that complete and check."""
    from balai import schemas as made

    changed = made.write(root)
    click.echo(say("schemas_written", count=len(changed), folder=shown(root / made.FOLDER)))


@click.command()
@_root
def validate(root: Path) -> int:
    """Check every file of the inventories and every name that one uses of another."""
    click.echo(clean(load_estate(root)))
    return 0


def clean(estate: Estate) -> str:
    """Return what is said of an estate in which nothing is wrong."""
    return say(
        "validate_clean",
        sites=len(estate.sites),
        tenants=len(estate.tenants),
        clusters=len(estate.clusters),
        regions=len(estate.regions),
    )
