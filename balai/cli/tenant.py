"""`balai tenant`: what a tenant asked for and was given, and how it is ended."""

from __future__ import annotations

import datetime
import json
from typing import Any, TypeVar

import click

from balai import deciding, onboarding
from balai.errors import BalaiError, shown
from balai.estate import Estate, load_estate
from balai.fleet import fit as fitting
from balai.fleet.erasure import Erasure
from balai.lifecycle import standing
from balai.models import Model
from balai.models.lifecycle import Amounts, Decision, Used
from balai.rules.exceptions import WIB
from balai.sites import INVENTORIES
from balai.text import say

_M = TypeVar("_M", bound=Model)
_dry = click.option("--dry-run", is_flag=True, help="Show the lines, and write nothing.")
_cpu = click.option("--cpu", help="Cores, as Kubernetes writes them: 8, 500m.")
_memory = click.option("--memory", help="Memory, as Kubernetes writes it: 16Gi.")
_pods = click.option("--pods", type=int, help="Number of pods.")
_storage = click.option("--storage", help="What its data stores keep, all instances together: 20Gi.")


@click.group()
def tenant() -> None:
    """A tenant's requests, what was decided, and its end."""


@tenant.command()
@click.argument("name")
@_cpu
@_memory
@_pods
@_storage
@click.option("--reason", required=True, help="What it is needed for.")
@click.option("--by", help="Who asks; the tenant's owner by default.")
@click.option(
    "--peak",
    nargs=4,
    metavar="CPU MEMORY DATE SOURCE",
    help='The most that was used: 3200m 6Gi 2026-11-20 "balai audit"; unknown without.',
)
@_dry
def request(
    name: str,
    cpu: str | None,
    memory: str | None,
    pods: int | None,
    storage: str | None,
    reason: str,
    by: str | None,
    peak: tuple[str, str, str, str] | None,
    dry_run: bool,
) -> None:
    """Ask for another quota: the request is written to the tenant's file, and the quota stays until it is decided."""
    estate = load_estate(INVENTORIES)
    used = _used(peak) if peak else None
    change = deciding.asked(
        INVENTORIES,
        name,
        by=by or (estate.tenants[name].owner if name in estate.tenants else ""),
        requested=_amounts(cpu, memory, pods, storage),
        reason=reason,
        used=used,
        today=_today(),
    )
    _written(change, dry_run)
    if not used:
        click.echo(say("request_unmeasured"))


@tenant.command()
@click.argument("name")
@click.option("--by", required=True, help="Who decides: somebody else than who asked.")
@click.option("--reason", required=True, help="Why so much, or why not.")
@click.option("--refuse", is_flag=True, help="Leave the quota as it is.")
@_cpu
@_memory
@_pods
@_storage
@_dry
def decide(
    name: str,
    by: str,
    reason: str,
    refuse: bool,
    cpu: str | None,
    memory: str | None,
    pods: int | None,
    storage: str | None,
    dry_run: bool,
) -> None:
    """Decide the open request: all that was asked, other amounts, or --refuse. The quota becomes what was decided."""
    estate = load_estate(INVENTORIES)
    values: dict[str, Any] | None = None
    last = estate.tenants[name].requests[-1:] if name in estate.tenants else []
    if refuse and (cpu or memory or pods or storage):
        raise click.UsageError("name amounts, or --refuse")
    if refuse and last:
        if not isinstance(last[0].original, Amounts):
            raise click.UsageError("a first quota cannot be left as it is: take the request back, or give less")
        values = last[0].original.given
    elif cpu or memory or pods or storage:
        values = _amounts(cpu, memory, pods, storage).given
    change = deciding.decided(INVENTORIES, name, by=by, values=values, reason=reason, today=_today())
    after = _written(change, dry_run)
    for verdict in fitting.fit(after, fitting.Loss()):
        if verdict.state != "fits":
            click.echo(fitting.words(verdict))


@tenant.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="The same as JSON.")
def show(name: str, as_json: bool) -> None:
    """Show where a tenant stands: status, quota, every request with what it was judged by, and how it is ended."""
    estate = load_estate(INVENTORIES)
    if name not in estate.tenants:
        raise BalaiError(say("tenant_unknown", tenant=name, known=", ".join(estate.tenants)))
    found = estate.tenants[name]
    if as_json:
        keys = {"name", "status", "review", "quota", "requests", "decommissioning"}
        click.echo(json.dumps({**found.model_dump(include=keys), "said": standing(found).words}))
        return
    click.echo(say("tenant_is", tenant=name, title=found.title, status=found.status, review=found.review))
    if words := standing(found).words:
        click.echo(words)
    click.echo(say("tenant_quota", quota=_plain(found.quota.model_dump())))
    for asked in found.requests:
        before = _plain(asked.original.given) if isinstance(asked.original, Amounts) else "-"
        wanted = _plain(asked.requested.given)
        click.echo(say("request_is", date=asked.date, by=asked.by, before=before, wanted=wanted, reason=asked.reason))
        if isinstance(asked.used, Used):
            peak = _plain({"cpu": asked.used.cpu, "memory": asked.used.memory})
            click.echo(say("request_used", peak=peak, date=asked.used.date, source=asked.used.source))
        else:
            click.echo(say("request_unmeasured"))
        if isinstance(asked.decided, Decision):
            given = _plain(asked.decided.values.given)
            by, reason = asked.decided.by, asked.decided.reason
            click.echo(say("request_decided", date=asked.decided.date, by=by, given=given, reason=reason))
        else:
            click.echo(say("request_undecided"))


@tenant.command()
@click.argument("name")
@_dry
def erased(name: str, dry_run: bool) -> None:
    """Put on record that a tenant is gone from each of its clusters, by its certificates and by a look at them."""
    estate = load_estate(INVENTORIES)
    if name not in estate.tenants:
        raise BalaiError(say("tenant_unknown", tenant=name, known=", ".join(estate.tenants)))
    ended = estate.tenants[name]
    going = [Erasure(tenant=ended, cluster=estate.clusters[cluster]) for cluster in ended.clusters]
    proof = {one.cluster.name: one.finish() for one in going}
    _written(deciding.erased(INVENTORIES, name, max(one.erased_on() for one in going), proof), dry_run)
    click.echo(say("end_certified", tenant=name, clusters=", ".join(proof)))


def _written(change: onboarding.Change, dry_run: bool) -> Estate:
    """Show a change of a tenant's file line by line, and write it; return the estate as it then is."""
    import difflib

    after = onboarding.checked_estate(INVENTORIES, change)
    for path, text in change.files.items():
        lines = difflib.unified_diff(change.read[path].splitlines(), text.splitlines(), lineterm="", n=0)
        click.echo("\n".join([path, *(line for line in list(lines)[2:] if not line.startswith("@@"))]))
    if dry_run:
        click.echo(say("new_not_written"))
    else:
        onboarding.write(INVENTORIES, change)
        click.echo(say("new_written", files=", ".join(shown(INVENTORIES / path) for path in change.files)))
    return after


def _amounts(cpu: str | None, memory: str | None, pods: int | None, storage: str | None) -> Amounts:
    if not (cpu or memory or pods or storage):
        raise click.UsageError("name one of --cpu, --memory, --pods, --storage at least")
    return _model(Amounts, {"cpu": cpu, "memory": memory, "pods": pods, "storage": storage})


def _used(peak: tuple[str, str, str, str]) -> Used:
    return _model(Used, dict(zip(("cpu", "memory", "date", "source"), peak, strict=True)))


def _model(model: type[_M], values: dict[str, Any]) -> _M:
    from balai import yamlfile
    from balai.models import load

    return load(
        model, yamlfile.parse(json.dumps({k: v for k, v in values.items() if v is not None}), say("new_answers"))
    )


def _plain(values: dict[str, Any]) -> str:
    return ", ".join(f"{part} {value}" for part, value in values.items())


def _today() -> datetime.date:
    return datetime.datetime.now(WIB).date()
