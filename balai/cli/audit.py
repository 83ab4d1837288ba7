"""`balai audit`: evidence, results, and a report."""

from __future__ import annotations

import json
from pathlib import Path

import click

from balai.audit import Status, gather, report
from balai.audit import audit as run
from balai.audit import isolation as asked
from balai.audit.judge import PLATFORM
from balai.audit.results import counts
from balai.errors import EnvironmentFault
from balai.estate import load_estate
from balai.kube import ApiError
from balai.sites import INVENTORIES, load_site
from balai.text import say


@click.command()
@click.option("--cluster", required=True, help="Name of a cluster.")
@click.option("--json", "as_json", is_flag=True, help="The same as JSON.")
def isolation(cluster: str, as_json: bool) -> int:
    """
    Ask the API server of a cluster what each tenant's people may do, in their namespace and outside it.

    Exit 0 only when each may do what is theirs and nothing else. Nothing is tried on a live object.
    """
    from rich.console import Console
    from rich.table import Table

    estate = load_estate()
    if cluster not in estate.clusters:
        raise click.UsageError(f"there is no cluster {cluster!r}; clusters are {', '.join(estate.clusters)}")
    tenants = [t for t in estate.tenants_of(cluster) if t.placed]
    try:
        found = asked.matrix(gather.reach(estate.clusters[cluster].kubeconfig_context), tenants, PLATFORM)
    except ApiError as error:
        raise EnvironmentFault(say("isolation_refused", error=error)) from error
    clean = not any(row["leaks"] or row["lacks"] for row in found.values())
    if as_json:
        click.echo(json.dumps({"cluster": cluster, "isolated": clean, "tenants": found}))
        return 0 if clean else 1
    table = Table(title=say("isolation_title", cluster=cluster), title_justify="left", box=None)
    for column in ("isolation_tenant", "isolation_asked", "isolation_leaks", "isolation_lacks"):
        table.add_column(say(column), overflow="fold")
    for name, row in found.items():
        table.add_row(name, str(row["asked"]), "\n".join(row["leaks"]), "\n".join(row["lacks"]))
    Console().print(table, highlight=False, markup=False)
    click.echo(say("isolation_clean") if clean else say("isolation_broken"))
    return 0 if clean else 1


@click.command()
@click.option("--site", help="Name of a mall.")
@click.option("--cluster", help="Name of a cluster.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("balai-audit"),
    show_default=True,
    help="Folder for results.json, junit.xml and report.html.",
)
@click.option("--json", "as_json", is_flag=True, help="The counts as JSON.")
def audit(site: str | None, cluster: str | None, out: Path, as_json: bool) -> int:
    """
    Judge the live machines of a mall and the live objects of a cluster.

    Exit 0 only when everything that was asked passed or is excepted; 1 for a failure, and for what did not run.
    """
    if not site and not cluster:
        raise click.UsageError("name a --site, a --cluster, or both")
    estate = load_estate()
    for kind, given, known in (("site", site, estate.sites), ("cluster", cluster, estate.clusters)):
        if given and given not in known:
            raise click.UsageError(f"there is no {kind} {given!r}; `balai validate` reads them from inventories/")
    view = load_site(INVENTORIES / "sites" / f"{site}.yml") if site else None
    found = run(estate, view, cluster)
    page = report.write(found, out)
    tally = counts(found.results)
    if as_json:
        click.echo(json.dumps({"counts": tally, "report": str(page), "controls": len(found.covered)}))
    else:
        click.echo(say("audit_counts", counts=", ".join(f"{name} {n}" for name, n in tally.items())))
        click.echo(say("report_written", path=page))
    return 0 if all(r.status in (Status.PASS, Status.NA, Status.EXCEPTED) for r in found.results) else 1
