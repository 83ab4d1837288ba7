"""`balai fleet`: data centres' clusters as declared and as they are, and whether everybody still fits."""

from __future__ import annotations

import datetime
import json
import os
import time
from pathlib import Path

import click
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table

from balai.estate import Estate, load_estate
from balai.fleet import fit as fitting
from balai.fleet import status
from balai.fleet.cluster_class import ENCRYPTION
from balai.fleet.fit import Loss, Verdict
from balai.text import say

_json = click.option("--json", "as_json", is_flag=True, help="The same as JSON.")
REFRESH = 2.0  # seconds between two looks of `show --watch`


@click.group()
def fleet() -> None:
    """Clusters of the data centres, and what stands on them."""


@fleet.command()
@click.option("--data-centre", "names", multiple=True, help="Only this data centre; may be given several times.")
@click.option("--watch", is_flag=True, help="Look again every two seconds, until everything is Available.")
@_json
def show(names: tuple[str, ...], watch: bool, as_json: bool) -> int:
    """Show every cluster: version, machines, windows, and what Cluster API says is missing; exit 1 while it is."""
    estate = load_estate()
    _known(names, estate)
    places = [estate.data_centres[name] for name in names or estate.data_centres]
    rows = status.rows(estate, places)
    if as_json:
        click.echo(json.dumps([vars(row) for row in rows]))
    elif not watch:
        Console().print(_standing(rows), highlight=False, markup=False)
    else:
        with Live(_standing(rows), console=Console(), auto_refresh=False) as live:
            while not all(row.done for row in rows):
                time.sleep(REFRESH)
                rows = status.rows(estate, places)
                live.update(_standing(rows), refresh=True)
    return 0 if all(row.done for row in rows) else 1


def _standing(rows: list[status.ClusterRow]) -> Group:
    table = Table(title=say("fleet_title", count=len(rows)), title_justify="left", box=None)
    columns = [say("fleet_cluster"), say("fleet_place"), say("fleet_version"), say("fleet_state")]
    columns += [say("fleet_control_planes"), say("fleet_workers"), say("fleet_window")]
    for number, column in enumerate(columns):
        table.add_column(column, overflow="fold", no_wrap=number == 0)
    for row in rows:
        version = row.declared if row.declared == row.version else f"{row.version or '-'} → {row.declared}"
        table.add_row(
            row.name,
            row.data_centre,
            f"{version} ({row.release})",
            row.state,
            row.control_planes,
            row.workers,
            row.window,
        )
    missing = [f"{row.name}: {words}" for row in rows for words in row.missing]
    return Group(table, *missing)


@fleet.command("fit")
@click.option(
    "--without",
    "lost",
    multiple=True,
    metavar="DATA-CENTRE[/RACK]",
    help="Only this case; may be given several times. By default: nothing, each rack, each data centre.",
)
@_json
def fit_(lost: tuple[str, ...], as_json: bool) -> int:
    """Tell who still fits when a rack or a data centre is gone, and what would help; exit 1 when somebody does not."""
    estate = load_estate()
    cases = [_loss(text, estate) for text in lost] or fitting.losses(estate)
    verdicts = [verdict for case in cases for verdict in fitting.fit(estate, case)]
    if as_json:
        click.echo(json.dumps([verdict.as_json() for verdict in verdicts]))
    else:
        _tell(cases, verdicts)
    return 1 if any(verdict.state == "not" for verdict in verdicts) else 0


@fleet.command("seed")
@click.argument("data_centre")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True,
              help="Folder to write; it must be empty, or not there.")  # fmt: skip
def seed_(data_centre: str, out: Path) -> None:
    """Write what makes the first management cluster of DATA_CENTRE with kubeadm, and say what to do with it."""
    from balai.fleet import first

    estate = load_estate()
    _known((data_centre,), estate)
    if out.exists() and any(out.iterdir()):
        raise click.BadParameter(f"{out} is not empty; name a folder of its own")
    today = datetime.datetime.now(datetime.UTC).date()
    for path, text in first.seed_files(estate, estate.data_centres[data_centre], today).items():
        (out / path).parent.mkdir(parents=True, exist_ok=True)
        (out / path).write_text(text)
    click.echo(say("seed_written", path=out, place=data_centre, encryption=ENCRYPTION, config=first.CONFIG))


@fleet.command("export")
@click.argument("data_centre")
@click.option("--recipient", "recipients", multiple=True, required=True, help="age public key; two at least.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The file to write.")
def export_(data_centre: str, recipients: tuple[str, ...], out: Path) -> None:
    """Write the management cluster of DATA_CENTRE, with keys and state, into one file that two people can open."""
    from balai.fleet import seed

    estate = load_estate()
    _known((data_centre,), estate)
    made = seed.export(estate.data_centres[data_centre], list(recipients), out)
    click.echo(say("seed_exported", clusters=", ".join(made.clusters), objects=made.objects, path=out))


@fleet.command()
@click.argument("data_centre")
@click.argument("source", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--identity", type=click.Path(path_type=Path, exists=True, dir_okay=False), required=True,
              help="File of one recipient's age key.")  # fmt: skip
def restore(data_centre: str, source: Path, identity: Path) -> None:
    """Fill an empty management cluster of DATA_CENTRE from an export; machines that run are adopted."""
    from balai.fleet import seed

    estate = load_estate()
    _known((data_centre,), estate)
    made = seed.restore(estate.data_centres[data_centre], source, identity)
    click.echo(say("seed_restored", clusters=", ".join(made.clusters), objects=made.objects, made=made.made))


@fleet.command()
@click.argument("cluster")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True,
              help="File to write, for its owner's eyes alone; it must not be there.")  # fmt: skip
def kubeconfig(cluster: str, out: Path) -> None:
    """Write the administrator's kubeconfig of CLUSTER, for the hour in which nobody can sign in."""
    estate = load_estate()
    if cluster not in estate.clusters:
        raise click.UsageError(f"there is no cluster {cluster!r}; choose from {', '.join(estate.clusters)}")
    text = status.kubeconfig(estate, estate.clusters[cluster])
    try:
        handle = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise click.BadParameter(f"{out} cannot be written: {error.strerror}") from None
    with os.fdopen(handle, "w") as stream:
        stream.write(text)
    click.echo(say("fleet_kubeconfig", cluster=cluster, path=out))


def _tell(cases: list[Loss], verdicts: list[Verdict]) -> None:
    table = Table(title=say("fit_title"), title_justify="left", box=None)
    for column in ("fit_case", "fit_fits", "fit_degraded", "fit_not"):
        table.add_column(say(column), justify="left" if column == "fit_case" else "right")
    for case in cases:
        here = [verdict.state for verdict in verdicts if verdict.loss == case]
        counts = [str(here.count(state)) for state in ("fits", "degraded", "not")]
        table.add_row(say("fit_without", what=case) if str(case) else say("fit_now"), *counts)
    Console().print(table, highlight=False, markup=False)
    for verdict in verdicts:
        if verdict.state != "fits":
            click.echo(fitting.words(verdict))


def _loss(text: str, estate: Estate) -> Loss:
    name, _, rack = text.partition("/")
    _known((name,), estate)
    racks = estate.data_centres[name].racks
    if rack and rack not in racks:
        raise click.UsageError(f"{name} has no rack {rack!r}; choose from {', '.join(racks)}")
    return Loss(name, rack)


def _known(names: tuple[str, ...], estate: Estate) -> None:
    if strange := set(names) - set(estate.data_centres):
        raise click.UsageError(
            f"there is no data centre {', '.join(sorted(strange))}; choose from {', '.join(estate.data_centres)}"
        )
