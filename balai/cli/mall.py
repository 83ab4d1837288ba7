"""`balai mall`: what a mall's file makes of it."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click

from balai.cli.flows import view_of
from balai.errors import shown
from balai.sites import SiteView
from balai.text import LANGUAGES, say


class _Mall(click.Group):
    """Imports the audit's gathering when it is asked for: the other verbs need none of it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*self.commands, "survey"])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name != "survey":
            return super().get_command(ctx, cmd_name)
        from balai.cli.survey import survey

        return survey


@click.group(cls=_Mall)
def mall() -> None:
    """The network and machines of a mall, as its file and the address ledger have them."""


@mall.command()
@click.argument("site")
@click.option("--json", "as_json", is_flag=True, help="The same as JSON.")
def show(site: str, as_json: bool) -> None:
    """Show the networks of SITE and its machines."""
    from rich.console import Console
    from rich.table import Table

    view = view_of(site)
    networks, machines = _networks(view), _machines(view)
    if as_json:
        known = view.site.hours != "unknown"
        click.echo(json.dumps({"site": site, "networks": networks, "machines": machines, "hours_known": known}))
        return
    console = Console(emoji=False, markup=False)
    table = Table(title=say("mall_networks", title=view.site.title), title_justify="left", box=None)
    for column in ("mall_card", "mall_network", "mall_tag", "mall_ipv4", "mall_ipv6", "mall_pool"):
        table.add_column(say(column), overflow="fold")
    for row in networks:
        table.add_row(*map(str, row.values()))
    console.print(table)
    table = Table(title=say("mall_machines"), title_justify="left", box=None)
    for column in ("mall_machine", "mall_managed", "mall_management", "mall_own", "mall_updates"):
        table.add_column(say(column), overflow="fold")
    for row in machines:
        table.add_row(*map(str, row.values()))
    console.print(table)
    if view.site.hours == "unknown":
        console.print(say("mall_updates_default", timezone=view.timezone))
    else:
        console.print(say("mall_updates_hours", timezone=view.timezone))


def _networks(view: SiteView) -> list[dict[str, Any]]:
    from balai.mall import dhcp_of, links_of

    leased = {item["link"]: item for item in dhcp_of(view)}
    rows = []
    for link in links_of(view.machines[0], view):
        v4, v6 = (str(address.network) for address in link.addresses) if link.addresses else ("", "")
        pool = leased.get(link.name, {}).get("pool", "")
        rows.append(
            {
                "card": link.name,
                "network": link.title,
                "tag": link.tag or "",
                "ipv4": v4,
                "ipv6": v6,
                "pool": pool,
            }
        )
    return rows


def _machines(view: SiteView) -> list[dict[str, Any]]:
    from balai.mall import links_of
    from balai.mall.updates import window_of

    rows = []
    for machine in view.machines:
        links = links_of(machine, view)
        own = " ".join(str(a.ip) for link in links[-1:] for a in link.addresses) if machine.kind != "router" else ""
        row = {"machine": machine.name, "managed": "full", "management": machine.address, "own": own}
        rows.append({**row, "updates": window_of(machine, view).words})
    for enrolled in (m for m in view.enrolled if m.office is not None):
        slot = next(o.slot for o in view.site.offices if o.agency == enrolled.office)
        own = str(view.plan.slots[slot][enrolled.number or 0])
        row = {"machine": enrolled.name, "managed": enrolled.managed, "management": "", "own": own}
        rows.append({**row, "updates": ""})
    return rows


@mall.command()
@click.argument("site")
@click.option("--out", type=click.Path(dir_okay=False), help="File to write; standard output by default.")
def draw(site: str, out: str | None) -> None:
    """Draw the networks of SITE, what is in them and what they may begin, as SVG."""
    from balai.mall import drawing

    picture = drawing.draw(view_of(site))
    if out:
        Path(out).write_text(picture, encoding="utf-8")
    else:
        click.echo(picture)


@mall.command()
@click.argument("site")
def routeros(site: str) -> None:
    """Print a RouterOS 7 script for the router of SITE; never run on a device here: try it on a bench first."""
    from balai.mall import routeros as rendered

    click.echo(rendered.render(view_of(site)), nl=False)


@mall.command()
@click.argument("site")
@click.option("--out", type=click.Path(dir_okay=False), help="Write the sheet to print, a page of HTML, here.")
@click.option(
    "--record", is_flag=True, help="Print the switches as the site's file records them, to be corrected there."
)
@click.option("--json", "as_json", is_flag=True, help="The same as JSON.")
def wiring(site: str, out: str | None, record: bool, as_json: bool) -> None:
    """Show which cable goes into which socket of the switches of SITE, and the VLANs of each."""
    from balai.mall import wiring as wires

    view = view_of(site)
    if out:
        Path(out).write_text(wires.sheet(view), encoding="utf-8")
        return
    if record:
        import yaml

        switches = [switch.model_dump() for switch in wires.switches_of(view)]
        click.echo(yaml.safe_dump({"switches": switches}, sort_keys=False), nl=False)
        return
    rows = [{**vars(socket), "label": socket.label} for socket in wires.sockets(view) if socket.cable]
    if as_json:
        recorded = bool(view.site.switches)
        click.echo(json.dumps({"site": site, "recorded": recorded, "sockets": rows, "missing": wires.missing(view)}))
        return
    _print_wiring(rows, view)


def _print_wiring(rows: list[dict[str, Any]], view: SiteView) -> None:
    from rich.console import Console
    from rich.table import Table

    from balai.mall import wiring as wires

    table = Table(title=say("wiring_title", title=view.site.title), title_justify="left", box=None)
    for column in ("wiring_label", "mall_network", "wiring_untagged", "wiring_tagged"):
        table.add_column(say(column), overflow="fold")
    for row in rows:
        network = say("wiring_all") if row["network"] == "*" else row["network"]
        table.add_row(row["label"], network, str(row["untagged"] or ""), ", ".join(map(str, row["tagged"])))
    Console(emoji=False, markup=False).print(table)
    if not view.site.switches:
        click.echo(say("wiring_proposed"))
    if cables := wires.missing(view):
        click.echo(say("wiring_missing", cables=", ".join(cables)))


@mall.command()
@click.argument("site")
@click.option("--month", type=click.DateTime(["%Y-%m"]), help="Month of a monthly report, such as 2026-11.")
@click.option("--year", type=click.DateTime(["%Y"]), help="Year of a yearly evaluation, such as 2026.")
@click.option(
    "--counts", type=click.Path(dir_okay=False, path_type=Path), help="What counts.py printed on the mall's server."
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write all tables as CSV, and a page to print, into it; the summary is printed otherwise.",
)
@click.option("--lang", type=click.Choice(LANGUAGES), default="id", show_default=True, help="Language of the report.")
def report(
    site: str,
    month: datetime.datetime | None,
    year: datetime.datetime | None,
    counts: Path | None,
    out: Path | None,
    lang: str,
) -> None:
    """Report what SITE owes its ministry for a month or a year; what nobody knows is said in words."""
    from balai.mall import report as duties
    from balai.mall.counted import read_counts

    if (month is None) == (year is None):
        raise click.UsageError("give either --month or --year")
    period = f"{month:%Y-%m}" if month else f"{year:%Y}"
    view = view_of(site)
    counted = read_counts(counts, view, period) if counts else None
    made = duties.Report(view, period, counted, datetime.datetime.now(ZoneInfo(view.timezone)).date(), lang)
    if out:
        click.echo(say("report_written", path=shown(duties.write(made, out))))
        return
    from rich.console import Console
    from rich.table import Table

    console = Console(emoji=False, markup=False)
    for line in (made.title, *made.notes):
        console.print(line)
    summary = made.tables()[0]
    table = Table(box=None)
    for column in summary.columns:
        table.add_column(column, overflow="fold")
    for row in summary.rows:
        table.add_row(*row)
    console.print(table)


@mall.command()
@click.argument("site")
@click.option("--on", type=click.DateTime(["%Y-%m-%d"]), help="The day; today in the mall's own time by default.")
@click.option("--json", "as_json", is_flag=True, help="The same as JSON.")
def counters(site: str, on: datetime.datetime | None, as_json: bool) -> None:
    """Show which office has which counter of SITE on a day, as the router decides it."""
    from balai.mall import calendar_of
    from balai.onsite import calendar

    view = view_of(site)
    day = on.date() if on else datetime.datetime.now(ZoneInfo(view.timezone)).date()
    settings = calendar_of(view)
    open_today = calendar.present(settings, day, trusted=True)
    given = {
        a.counter: next((o for o in calendar.claims(settings["assignments"], a.counter, day) if o in open_today), None)
        for a in view.site.assignments
    }
    if as_json:
        click.echo(json.dumps({"site": site, "day": day.isoformat(), "counters": given}))
        return
    for counter, office in sorted(given.items()):
        click.echo(say("mall_counter", day=day, counter=counter, office=office or say("mall_nobody")))
