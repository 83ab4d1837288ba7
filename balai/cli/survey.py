"""`balai mall survey`: what is really there, read and never changed."""

from __future__ import annotations

import json
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from balai.audit import gather
from balai.audit import survey as read
from balai.cli.flows import view_of
from balai.errors import EnvironmentFault
from balai.sites import Machine, SiteView
from balai.text import say


@click.command()
@click.argument("site")
@click.option("--machine", help="Read this one machine instead, of the plan (server-1) or with --at of nobody yet.")
@click.option("--at", help="Address of the machine, when it is not in the plan.")
@click.option("--user", default="balai", show_default=True, help="Account on it that may use sudo.")
@click.option(
    "--record", is_flag=True, help="Print strangers in offices' networks as enrolment/<site>.yml would have them."
)
@click.option("--json", "as_json", is_flag=True, help="Everything that was read, as JSON.")
def survey(site: str, machine: str | None, at: str | None, user: str, record: bool, as_json: bool) -> None:
    """
    Read who is on the networks of SITE, from its router, or what one machine is; change nothing.

    Nothing is sent to the machines of agencies: the router has seen their cards.
    """
    view = view_of(site)
    if at and not machine:
        raise click.UsageError("--at needs --machine: the name that the machine is to have")
    facts = _read(_machine(view, machine, at) if machine else view.machines[0], user)
    if machine:
        _one(machine, facts, as_json)
        return
    if missing := [key for key in ("neighbours", "leases") if key not in facts]:
        raise EnvironmentFault(say("survey_unread", machine=view.machines[0].name, what=", ".join(missing)))
    rows, pools = read.seen(view, facts), read.pools(view, facts)
    if record:
        import yaml

        click.echo(yaml.safe_dump({"site": site, "machines": read.enrolments(view, rows)}, sort_keys=False), nl=False)
    elif as_json:
        click.echo(json.dumps({"site": site, "seen": [vars(r) for r in rows], "pools": [vars(p) for p in pools]}))
    else:
        _print(view, rows, pools)


def _machine(view: SiteView, name: str, at: str | None) -> Machine:
    known = {m.name.removeprefix(f"{view.site.name}-"): m for m in view.machines}
    if at:
        return Machine(name=name, kind="server", number=0, address=at)
    found = known.get(name.removeprefix(f"{view.site.name}-"))
    if not found:
        raise click.UsageError(f"there is no machine {name!r}; the plan has {', '.join(known)}; others need --at")
    return found


def _read(machine: Machine, user: str) -> dict[str, Any]:
    evidence = gather.host(machine, user=user)
    if evidence.facts is None:
        raise EnvironmentFault(say("survey_dark", machine=machine.name, address=machine.address, error=evidence.error))
    return evidence.facts


def _one(name: str, facts: dict[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"machine": name, "facts": facts}))
        return
    cards = (f"{a['name']} {a['mac']} {' '.join(a['addresses'])}" for a in facts.get("addresses", []))
    room = (f"{place} {r['free']} %" for place, r in facts.get("room", {}).items())
    rows = {
        say("survey_hostname"): facts.get("hostname", ""),
        say("survey_site"): facts.get("site") or say("survey_none"),
        say("survey_release"): f"Debian {facts.get('release', '?')}, {facts.get('packages', {}).get('installed', '?')}",
        say("survey_cards"): "\n".join(cards),
        say("survey_listens"): " ".join(facts.get("listeners", [])),
        say("survey_room"): ", ".join(room),
        say("survey_failed"): " ".join(facts.get("failed_units", [])) or say("survey_none"),
    }
    table = Table(title=name, title_justify="left", box=None, show_header=False)
    for title, said in rows.items():
        table.add_row(title, said)
    Console(emoji=False, markup=False).print(table, highlight=False)


def _print(view: SiteView, rows: list[read.Seen], pools: list[read.Pool]) -> None:
    table = Table(title=say("survey_title", title=view.site.title), title_justify="left", box=None)
    for column in ("mall_network", "mall_mac", "mall_own", "survey_told", "survey_known", "mall_managed"):
        table.add_column(say(column), overflow="fold")
    for row in rows:
        known = row.known or ("" if row.network == "guests" else say("survey_stranger"))
        table.add_row(row.network, row.mac, "\n".join(row.addresses), row.told, known, row.managed)
    console = Console(emoji=False, markup=False)
    console.print(table, highlight=False)
    for pool in pools:
        click.echo(say("survey_pool", network=pool.network, lent=pool.lent, size=pool.size))
        if pool.lent >= pool.size:
            click.echo(say("survey_pool_full", network=pool.network))
