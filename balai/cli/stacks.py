"""`balai up` and `balai preview`: stacks of data centres and clusters, in order and side by side."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Collection, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from balai.deploy import Action, StackResult, abandoned, deploy, ground_of, layers_of, remarks, stacks_there
from balai.errors import BalaiError
from balai.estate import Estate, load_estate
from balai.fleet.touch import touch
from balai.text import say

if TYPE_CHECKING:
    from balai.fleet.status import ClusterRow

LOOK_EVERY = 2.0  # seconds between two looks at clusters that are being made


def _run(
    action: Action, clusters: tuple[str, ...], data_centres: tuple[str, ...], tenants: tuple[str, ...], as_json: bool
) -> int:
    estate = load_estate()
    if tenants and (data_centres or not clusters):
        raise click.UsageError("--tenant needs --cluster, and goes with no --data-centre")
    _known(clusters, estate.clusters)
    _known(data_centres, estate.data_centres)
    if not clusters and not data_centres:
        clusters, data_centres = tuple(estate.clusters), tuple(estate.data_centres)
    layers = layers_of(estate, data_centres, clusters)
    wanted = {f"tenant.{cluster}.{name}" for cluster in clusters for name in tenants}
    if unknown := wanted - set(layers[-1]):
        raise click.BadParameter(f"there is no stack {', '.join(sorted(unknown))}; choose from {', '.join(layers[-1])}")
    there = stacks_there()
    if tenants:
        ground = {ground_of(estate, stack) for stack in wanted} - {name for name in there if there[name]}
        layers = [layer for layer in (sorted(ground), sorted(wanted)) if layer]
    with _progress() as progress:
        task = progress.add_task(action, total=sum(map(len, layers)))

        def tell(result: StackResult) -> None:
            progress.update(task, advance=1, description=result.stack)

        with _watching(progress, estate, data_centres if action == "up" else ()):
            results = deploy(estate, layers, there, action, tell)
        for cluster in clusters if not tenants else ():
            results += abandoned(estate, cluster, there)
    for words in dict.fromkeys(words for cluster in clusters for words in remarks(estate, cluster)):
        click.echo(words, err=True)
    for words in unsettled(estate, data_centres) if action == "up" else ():
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


def _known(names: Collection[str], known: Collection[str]) -> None:
    if strange := [name for name in names if name not in known]:
        raise click.BadParameter(f"there is no {', '.join(map(repr, strange))}; choose from {', '.join(known)}")


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True, refresh_per_second=2)


@contextlib.contextmanager
def _watching(progress: Progress, estate: Estate, data_centres: Collection[str]) -> Iterator[None]:
    """Show meanwhile, in a line of its own, how many machines each cluster of data centres has, and what is missing."""
    if not data_centres or not progress.console.is_terminal:
        yield
        return
    ended = threading.Event()
    lines: dict[str, TaskID] = {}

    def look() -> None:
        while not ended.wait(LOOK_EVERY):
            for row in _clusters(estate, data_centres):
                lines[row.name] = lines.get(row.name) or progress.add_task(row.name, total=None)
                progress.update(lines[row.name], description=row.progress)

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


def unsettled(estate: Estate, data_centres: Collection[str]) -> list[str]:
    """Return what is missing of clusters of data centres: whoever was killed on the way left nothing to change."""
    rows = _clusters(estate, data_centres) if data_centres else []
    return [say("fleet_on_its_way", progress=row.progress) for row in rows if not row.done]


def _clusters(estate: Estate, data_centres: Collection[str]) -> list[ClusterRow]:
    """Return the clusters of data centres, none when one does not answer: the stack itself says that."""
    from balai.fleet import status

    try:
        return status.rows(estate, [estate.data_centres[name] for name in data_centres])
    except BalaiError:
        return []


def table(results: list[StackResult]) -> Table:
    """Return the results as a table: objects, how many changed, seconds."""
    made = Table(say("stack"), box=None)
    for column in ("objects", "changed", "seconds"):
        made.add_column(say(column), justify="right")
    for r in results:
        made.add_row(r.stack, str(r.objects), say("failed") if r.error else str(r.changed), f"{r.seconds:.1f}")
    return made


_cluster = click.option(
    "--cluster",
    "clusters",
    multiple=True,
    help="Name of a cluster: its foundation, then its tenants; may be given several times.",
)
_place = click.option(
    "--data-centre",
    "data_centres",
    multiple=True,
    help="Name of a data centre: its clusters, on its management cluster; may be given several times.",
)
_tenant = click.option(
    "--tenant",
    "tenants",
    multiple=True,
    help="Only this tenant, and its foundation when there is none yet; may be given several times.",
)
_json = click.option("--json", "as_json", is_flag=True, help="The table as JSON.")


@click.command()
@_cluster
@_place
@_tenant
@_json
def up(clusters: tuple[str, ...], data_centres: tuple[str, ...], tenants: tuple[str, ...], as_json: bool) -> int:
    """Bring stacks up: data centres' clusters, their foundations, their tenants; all of them when none is named."""
    return _run("up", clusters, data_centres, tenants, as_json)


@click.command()
@_cluster
@_place
@_tenant
@_json
def preview(clusters: tuple[str, ...], data_centres: tuple[str, ...], tenants: tuple[str, ...], as_json: bool) -> int:
    """Tell what `up` would change, and what the rules would refuse."""
    return _run("preview", clusters, data_centres, tenants, as_json)


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
