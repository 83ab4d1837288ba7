"""`balai audit`: evidence, results, and a report."""

from __future__ import annotations

import json
from pathlib import Path

import click

from balai.audit import Status, report
from balai.audit import audit as run
from balai.audit.results import counts
from balai.estate import load_estate
from balai.sites import INVENTORIES, load_site
from balai.text import say


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
