"""`balai check`, `controls`, `explain`, `exceptions`: the rules, what they prove, why, and what bends them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from balai.errors import DataError, Problem, shown

if TYPE_CHECKING:
    from balai.models import Cluster
    from balai.models.tenant import Category

FORMATS = ("text", "json", "sarif", "junit")


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="FILE...")
@click.option(
    "--category",
    type=click.Choice(["rendah", "tinggi", "strategis"]),
    help="Hold everything to this SPBE category; without it a Namespace among the files says, else the strictest.",
)
@click.option("--cluster", help="Use this cluster's parameters (registries and so on) in place of the defaults.")
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", help="How to say it; text by default.")
@click.option("--json", "form", flag_value="json", help="The same as --format json.")
def check(paths: tuple[str, ...], category: Category | None, cluster: str | None, form: str) -> int:
    """
    Judge manifests (files, folders, or - for standard input). Exit 1 when a rule denies.

    Inventories are validated, and what their tenants bring as files is judged.
    """
    import gc

    from balai.cli.estate import clean
    from balai.estate import load_estate
    from balai.rules import files, formats

    gc.disable()  # nothing here refers in circles, and the collector takes half of the time of a large file
    inventories = [Path(path) for path in paths if (Path(path) / "addresses.csv").is_file()]
    manifests = [path for path in paths if Path(path) not in inventories]
    for root in inventories:
        estate = load_estate(root)
        click.echo(clean(estate), err=form != "text")
        manifests += [str(root / name) for tenant in estate.tenants.values() for name in tenant.manifests]
    texts = _texts(tuple(manifests))
    if not texts and not inventories:
        raise click.UsageError("there is no .yml, .yaml or .json file to judge")
    if not texts and form == "text":
        return 0
    verdict = files.judge(texts, category, _given(cluster))
    if form == "text":
        click.echo("\n".join(formats.as_text(verdict)))
    else:
        click.echo({"json": formats.as_json, "sarif": formats.as_sarif, "junit": formats.as_junit}[form](verdict))
    return 1 if verdict.of("deny") else 0


@click.command()
@click.option("--coverage", is_flag=True, help="How many controls are proven, by domain and by way.")
@click.option("--domain", help="Only controls of this domain.")
@click.option("--unproven", is_flag=True, help="Only controls that no machine proves, with the reason.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def controls(coverage: bool, domain: str | None, unproven: bool, as_json: bool) -> int:
    """List the controls of the SPBE baseline and what proves each of them."""
    from balai.rules import listing
    from balai.rules.catalogue import proofs

    chosen = [p for p in proofs().values() if domain in (None, p.control.domain) and not (unproven and p.ways)]
    if not chosen:
        known = ", ".join(sorted({p.control.domain for p in proofs().values()}))
        raise click.UsageError(f"there is no control of the domain {domain!r}; domains are {known}")
    click.echo(listing.controls_json(chosen) if as_json else listing.controls_text(chosen, coverage=coverage))
    return 0


@click.command()
@click.argument("what", nargs=-1)
def explain(what: tuple[str, ...]) -> int:
    """
    Explain a rule, a control, a refusal, or a value of the estate.

    `balai explain run_as_non_root`, `balai explain BSSN4-33-2-c`, `balai explain denied FILE|MESSAGE|-`;
    without anything, all rules are listed. `balai explain site:mpp-banyuwangi addresses.kiosks` says where a value of
    the estate comes from, `balai explain tenant:pajak quota.cpu` as well.
    """
    from balai.rules import explain as explaining

    if not what:
        click.echo(explaining.rules())
        return 0
    if len(what) == 2 and what[0].startswith(("site:", "tenant:")):
        _value(*what)
    elif what[0] == "denied":
        message = " ".join(what[1:]) or "-"
        text = sys.stdin.read() if message == "-" else message
        path = Path(message)
        if len(what) == 2 and len(message) < 4096 and path.is_file():
            text = path.read_text(encoding="utf-8", errors="replace")
        click.echo(explaining.denied(text))
    else:
        for name in what:
            click.echo(explaining.one(name))
    return 0


def _value(subject: str, path: str) -> None:
    from balai import provenance
    from balai.sites import INVENTORIES
    from balai.text import say

    found = provenance.explain(subject, path, INVENTORIES)
    click.echo(say("value_is", path=path, value=found.layers[-1].what))
    for layer in found.layers:
        click.echo(f"  {layer.what}  ({layer.where}{f'; {layer.change}' if layer.change else ''})")
    if found.controls:
        click.echo(say("value_controls", controls=", ".join(found.controls)))
    if found.exceptions:
        click.echo(say("value_exceptions", exceptions=", ".join(found.exceptions)))


@click.command()
@click.option("--days", default=30, show_default=True, help="What ends within so many days is listed as ending.")
@click.option("--cluster", help="Ask this cluster which of them still cover something.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def exceptions(days: int, cluster: str | None, as_json: bool) -> int:
    """List exceptions: ending soon, ended (and still violated), matching nothing. Exit 1 on the last two."""
    from balai.rules import listing

    objects = None
    if cluster:
        from balai.audit import gather

        objects = gather.cluster(gather.reach(_cluster(cluster).kubeconfig_context))
    rows = listing.exceptions(days, objects, _given(cluster))
    click.echo(listing.exceptions_json(rows) if as_json else listing.exceptions_text(rows))
    return 1 if any(row.state in ("violated", "unmatched") for row in rows) else 0


def _cluster(name: str) -> Cluster:
    from balai.estate import load_estate

    clusters = load_estate().clusters
    if name not in clusters:
        raise click.UsageError(f"there is no cluster {name!r}; there are {', '.join(clusters)}")
    return clusters[name]


def _given(cluster: str | None) -> dict[str, list[str]] | None:
    return _cluster(cluster).given if cluster else None


def _texts(paths: tuple[str, ...]) -> dict[str, str]:
    """Return the content of each file by the name that the user knows it by."""
    problems: list[Problem] = []
    texts: dict[str, str] = {}
    for path in _files(paths):
        name = "-" if path is None else shown(path)
        try:
            if path is not None and not path.is_file():
                raise FileNotFoundError
            raw = sys.stdin.buffer.read() if path is None else path.read_bytes()
            texts[name] = raw.decode("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            problems.append(
                Problem(
                    file=name,
                    line=0,
                    key="",
                    given=type(error).__name__,
                    bound="the file cannot be read",
                    fix="Check its name and that it is text in UTF-8.",
                )
            )
    if problems:
        raise DataError(problems)
    return texts


def _files(paths: tuple[str, ...]) -> list[Path | None]:
    result: list[Path | None] = []
    for name in paths:
        path = Path(name)
        if name == "-":
            result.append(None)
        elif path.is_dir():
            result += sorted(p for p in path.rglob("*") if p.suffix.lower() in (".yml", ".yaml", ".json"))
        else:
            result.append(path)
    return result
