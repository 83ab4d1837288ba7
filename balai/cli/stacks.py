"""`balai up` and `balai preview`: the stacks of a cluster or of a data centre, in order and side by side."""

from __future__ import annotations

import json
from itertools import chain
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from balai.deploy import Action, StackResult, abandoned, deploy, fleets_of, remarks, stacks_of
from balai.estate import load_estate
from balai.fleet.touch import touch
from balai.text import say


def _run(
    action: Action, cluster: str | None, data_centres: tuple[str, ...], tenants: tuple[str, ...], as_json: bool
) -> int:
    estate = load_estate()
    if bool(cluster) == bool(data_centres) or (data_centres and tenants):
        raise click.UsageError(
            "name one of --cluster, with its tenants, and --data-centre, for its clusters themselves"
        )
    named, known = ((cluster,), estate.clusters) if cluster else (data_centres, estate.data_centres)
    if strange := [name for name in named if name not in known]:
        raise click.BadParameter(f"there is no {', '.join(map(repr, strange))}; choose from {', '.join(known)}")
    layers = stacks_of(estate, cluster) if cluster else fleets_of(data_centres)
    if tenants:
        wanted = {f"tenant.{cluster}.{name}" for name in tenants}
        if unknown := wanted - set(layers[1]):
            raise click.BadParameter(
                f"there is no stack {', '.join(sorted(unknown))}; choose from {', '.join(layers[1])}"
            )
        layers[1] = sorted(wanted)
    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    ) as progress:
        task = progress.add_task(f"{action} {', '.join(map(str, named))}", total=sum(map(len, layers)))

        def tell(result: StackResult) -> None:
            progress.update(task, advance=1, description=result.stack)

        results = deploy(layers, action, tell)
        if cluster and not tenants:
            results += abandoned(estate, cluster)
    for words in remarks(estate, cluster) if cluster else ():
        click.echo(words, err=True)
    reach = touch(estate, [r.stack for r in results if r.changed]) if action == "preview" else None
    if as_json:
        rows = [
            {"stack": r.stack, "changes": r.changes, "seconds": round(r.seconds, 1), "error": r.error} for r in results
        ]
        click.echo(json.dumps({"stacks": rows, "touch": reach.as_json()} if reach else rows))
    else:
        Console().print(table(results))
        for result in results:
            if result.error:
                click.echo(f"{result.stack}: {result.error}", err=True)
        if reach and reach.tenants:
            click.echo(say("preview_touch", touch=reach.words))
    return 1 if any(result.error for result in results) else 0


def table(results: list[StackResult]) -> Table:
    """Return the results as a table: objects, how many changed, seconds."""
    made = Table(say("stack"), box=None)
    for column in ("objects", "changed", "seconds"):
        made.add_column(say(column), justify="right")
    for r in results:
        made.add_row(r.stack, str(r.objects), say("failed") if r.error else str(r.changed), f"{r.seconds:.1f}")
    return made


_cluster = click.option("--cluster", help="Name of the cluster: its foundation, then its tenants.")
_place = click.option(
    "--data-centre",
    "data_centres",
    multiple=True,
    help="Name of a data centre: its clusters, on its management cluster; may be given several times.",
)
_tenant = click.option("--tenant", "tenants", multiple=True, help="Only this tenant; may be given several times.")
_json = click.option("--json", "as_json", is_flag=True, help="The table as JSON.")


@click.command()
@_cluster
@_place
@_tenant
@_json
def up(cluster: str | None, data_centres: tuple[str, ...], tenants: tuple[str, ...], as_json: bool) -> int:
    """Bring stacks up: a cluster's foundation and then its tenants, or the clusters of a data centre."""
    return _run("up", cluster, data_centres, tenants, as_json)


@click.command()
@_cluster
@_place
@_tenant
@_json
def preview(cluster: str | None, data_centres: tuple[str, ...], tenants: tuple[str, ...], as_json: bool) -> int:
    """Tell what `up` would change, and what the rules would refuse."""
    return _run("preview", cluster, data_centres, tenants, as_json)


@click.command()
@click.option(
    "--since", "revision", required=True, metavar="REV", help="A commit of the project, by any name git takes."
)
@_json
def affected(revision: str, as_json: bool) -> None:
    """Tell which stacks and malls must run because of what changed since REV, and whom that reaches."""
    from balai import changes

    found = changes.since(revision)
    if as_json:
        click.echo(json.dumps(found.as_json()))
        return
    for name in (*found.stacks, *(f"site {name}" for name in found.sites)):
        click.echo(name)
    click.echo(say("affected_none") if found.nothing else say("preview_touch", touch=found.touch.words))


@click.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Folder to hold it, and nothing else.",
)
@click.option(
    "--cluster", "clusters", multiple=True, help="Only this cluster; with --site, both. All of both by default."
)
@click.option("--site", "sites", multiple=True, help="Only this mall; may be given several times.")
def render(out: Path, clusters: tuple[str, ...], sites: tuple[str, ...]) -> None:
    """
    Write all that would be applied, in a stable form, so that a review is a diff.

    Objects of every stack and variables of every machine; nothing is asked of a cluster or a machine.
    """
    from balai import rendering
    from balai.sites import INVENTORIES, load_site

    estate = load_estate()
    for given, known in ((clusters, estate.clusters), (sites, estate.sites)):
        if wrong := set(given) - set(known):
            raise click.UsageError(f"there is no {', '.join(sorted(wrong))}; `balai validate` reads what there is")
    every = not clusters and not sites
    texts = chain(
        (rendering.text_of_fleet(estate, name) for name in (estate.data_centres if every else ())),
        *(rendering.texts_of_cluster(estate, name) for name in (estate.clusters if every else clusters)),
        *(
            rendering.texts_of_site(load_site(INVENTORIES / f"sites/{n}.yml"))
            for n in (estate.sites if every else sites)
        ),
    )
    count, changed = rendering.write(out, texts)
    click.echo(say("rendered", count=count, folder=out, changed=len(changed)))
    for name in changed[:20]:
        click.echo(f"  {name}")
