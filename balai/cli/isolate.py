"""`balai isolate`: cut a data centre off, and join it again."""

from __future__ import annotations

import datetime

import click

from balai.errors import shown
from balai.estate import load_estate
from balai.fleet.touch import touch
from balai.text import say


@click.command()
@click.argument("data_centre")
@click.option("--reason", help="Why; it is written into the data centre's file.")
@click.option("--undo", is_flag=True, help="Join it again.")
def isolate(data_centre: str, reason: str | None, undo: bool) -> None:
    """
    Cut DATA_CENTRE off: malls lose their peer there, its gateways take nothing from malls, its stacks hold still.

    One line of its file says so, and is reviewed as any other; what has to run to bring it into force is named.
    """
    from balai import isolate as isolating
    from balai import onboarding

    estate = load_estate()
    if data_centre not in estate.data_centres:
        raise click.UsageError(f"there is no data centre {data_centre!r}; choose from {', '.join(estate.data_centres)}")
    if bool(reason) == undo:
        raise click.UsageError("give --reason to cut it off, or --undo to join it again")
    today = datetime.datetime.now(datetime.UTC).date()
    change = (
        isolating.joined(estate.root, data_centre)
        if undo
        else isolating.isolated(estate.root, data_centre, reason or "", today)
    )
    onboarding.checked(estate.root, change)
    onboarding.write(estate.root, change)
    stacks, sites = isolating.to_run(estate, data_centre)
    click.echo(say("isolated", path=", ".join(shown(estate.root / path) for path in change.files)))
    for stack in stacks:
        click.echo(f"  pulumi up --stack {stack}")
    click.echo("  " + say("isolated_sites", count=len(sites), touch=touch(estate, stacks, sites).words))
