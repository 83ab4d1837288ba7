"""`balai show`: the estate as tables."""

from __future__ import annotations

import json

import click
from rich.console import Console
from rich.table import Table

from balai import overview
from balai.estate import load_estate
from balai.kube import Cluster
from balai.models import Tenant
from balai.text import say


@click.group()
def show() -> None:
    """What is declared, and whether it runs."""


@show.command()
@click.option(
    "--cluster", "clusters", multiple=True, help="Ask this cluster what really runs; may be given several times."
)
@click.option("--json", "as_json", is_flag=True, help="The same as JSON.")
def services(clusters: tuple[str, ...], as_json: bool) -> None:
    """Show every service and data store: whose, of which kind, where, how much may be lost, who depends on it."""
    estate = load_estate()
    if unknown := set(clusters) - set(estate.clusters):
        raise click.UsageError(
            f"there is no cluster {', '.join(sorted(unknown))}; clusters are {', '.join(estate.clusters)}"
        )
    apis = {name: Cluster.from_kubeconfig(context=estate.clusters[name].kubeconfig_context) for name in clusters}
    rows = overview.services(estate, apis)
    if as_json:
        click.echo(json.dumps([vars(row) for row in rows]))
        return
    table = Table(title=say("services_title", count=len(rows)), title_justify="left", box=None)
    columns = [say("service_name"), say("service_state"), say("service_category"), say("service_place")]
    columns += [say("service_recovery"), say("service_backup"), say("service_needed")]
    for number, column in enumerate(columns):
        table.add_column(column, overflow="fold", no_wrap=number == 0)
    for row in rows:
        place = ", ".join(f"{c} {row.running[c]}" if c in row.running else c for c in row.clusters)
        needed = ", ".join(row.needed_by) or say("survey_none")
        name = f"{row.name}\n  {' '.join(part for part in (row.kind, row.host) if part)}"
        kept = f"{row.backup}\n{row.copies}".strip()
        table.add_row(name, row.status, row.category, place, row.recovery, kept, needed)
    Console().print(table, highlight=False, markup=False)
    for tenant in estate.tenants.values():
        _said_before(tenant)
    click.echo(say("services_no_backup"))


def _said_before(tenant: Tenant) -> None:
    """Print when more people come than usual, and when its owner takes it away."""
    for peak in tenant.peaks if isinstance(tenant.peaks, list) else []:
        factor = peak.factor if isinstance(peak.factor, int) else say("service_factor_unknown")
        click.echo(say("service_peak", tenant=tenant.name, when=peak.when, factor=factor, source=peak.source))
    for downtime in tenant.planned_downtime if isinstance(tenant.planned_downtime, list) else []:
        click.echo(say("service_downtime", tenant=tenant.name, when=downtime.when, source=downtime.source))
