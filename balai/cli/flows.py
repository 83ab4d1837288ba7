"""`balai flows`: what a mall lets through, and which line says so."""

from __future__ import annotations

import json
from ipaddress import ip_address

import click

from balai.models.flow import ENDS, End, is_port
from balai.sites import INVENTORIES, SiteView, load_site
from balai.text import say


@click.group()
def flows() -> None:
    """Who may talk to whom in a mall."""


@flows.command()
@click.argument("source")
@click.argument("to")
@click.argument("port")
@click.option("--site", required=True, help="Name of the mall.")
@click.option("--json", "as_json", is_flag=True, help="The answer as JSON.")
def may(source: str, to: str, port: str, site: str, as_json: bool) -> int:
    """
    Answer whether SOURCE may begin a conversation with TO on PORT; exit 1 when not.

    SOURCE and TO are zones (kiosks, offices, internet, …) or addresses; PORT is tcp/443, udp/53 or icmp.
    """
    from balai.flows import simulate

    view = view_of(site)
    try:
        is_port(port)
    except ValueError as error:
        raise click.UsageError(f"PORT {error}, not {port!r}") from None
    ends = [_end(word, view) for word in (source, to)]
    verdict = simulate.may(view.flows, ends[0], ends[1], port)
    if as_json:
        answer = {"permitted": verdict.permitted, "flow": verdict.flow or None, "why": verdict.why or None}
        click.echo(json.dumps({"from": ends[0], "to": ends[1], "port": port, **answer}))
    elif verdict.permitted:
        click.echo(say("flow_yes", source=ends[0], to=ends[1], port=port, flow=verdict.flow, why=verdict.why))
    else:
        click.echo(say("flow_no", source=ends[0], to=ends[1], port=port))
    return 0 if verdict.permitted else 1


def view_of(site: str) -> SiteView:
    """Return a mall by its name, or refuse the name in words."""
    path = INVENTORIES / "sites" / f"{site}.yml"
    if not path.exists():
        raise click.UsageError(f"there is no site {site!r}; inventories/sites holds a file for each")
    return load_site(path)


def _end(word: str, view: SiteView) -> End:
    from balai.flows import simulate

    for end in ENDS:
        if word == end:
            return end
    try:
        found = simulate.end_of(ip_address(word), view.plan)
    except ValueError:
        raise click.UsageError(f"{word!r} is neither an address nor one of {', '.join(ENDS)}") from None
    if found is None:
        raise click.UsageError(f"{word} is in no network of {view.site.name}, and not of the internet either")
    return found
