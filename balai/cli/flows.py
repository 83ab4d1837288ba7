"""`balai flows`: what a mall lets through, and which line says so."""

from __future__ import annotations

import json
from ipaddress import ip_address
from typing import TYPE_CHECKING

import click

from balai.models.flow import ENDS, End, is_port
from balai.sites import INVENTORIES, SiteView, load_site
from balai.text import say

if TYPE_CHECKING:
    from balai.estate import Estate
    from balai.flows import Verdict


@click.group()
def flows() -> None:
    """Who may talk to whom in a mall."""


@flows.command()
@click.argument("source")
@click.argument("to")
@click.argument("port")
@click.option("--site", help="Name of the mall; needless when SOURCE is a tenant.")
@click.option("--json", "as_json", is_flag=True, help="The answer as JSON.")
def may(source: str, to: str, port: str, site: str | None, as_json: bool) -> int:
    """
    Answer whether SOURCE may begin a conversation with TO on PORT; exit 1 when not.

    SOURCE and TO are zones (kiosks, offices, internet, …) or addresses; PORT is tcp/443, udp/53 or icmp. TO may
    also be a service of a tenant (portal-layanan/web), and then SOURCE may be another tenant.
    """
    from balai.estate import load_estate
    from balai.flows import simulate

    try:
        is_port(port)
    except ValueError as error:
        raise click.UsageError(f"PORT {error}, not {port!r}") from None
    if site is None:
        begins, meant, verdict = source, to, _between_tenants(source, to, port, load_estate())
    else:
        view = view_of(site)
        begins = _end(source, view)
        meant = _service(to, load_estate()) if "/" in to else _end(to, view)
        there, service = ("data-centre", meant) if "/" in to else (meant, "")
        verdict = simulate.may(view.flows, begins, there, port, service)  # type: ignore[arg-type]
    if as_json:
        answer = {"permitted": verdict.permitted, "flow": verdict.flow or None, "why": verdict.why or None}
        click.echo(json.dumps({"from": begins, "to": meant, "port": port, **answer}))
    elif verdict.permitted:
        click.echo(say("flow_yes", source=begins, to=meant, port=port, flow=verdict.flow, why=verdict.why))
    else:
        click.echo(say("flow_no", source=begins, to=meant, port=port))
    return 0 if verdict.permitted else 1


@flows.command()
@click.argument("end", type=click.Choice(ENDS), default="kiosks")
@click.option("--site", required=True, help="Name of the mall.")
def origins(end: End, site: str) -> None:
    """Print what a browser at END of a mall may open: the allow-list of its kiosks, a line each."""
    from balai.flows import allow_list

    click.echo("\n".join(allow_list(view_of(site).flows, end)))


def _between_tenants(source: str, to: str, port: str, estate: Estate) -> Verdict:
    from balai.flows.services import APIS_PORT
    from balai.flows.simulate import Verdict

    if source not in estate.tenants:
        raise click.UsageError(f"there is no tenant {source!r}; name a mall with --site when SOURCE is a zone of one")
    tenant, _, service = _service(to, estate).partition("/")
    (asked,) = [s for s in estate.tenants[tenant].answering if s.name == service]
    port_of = f"tcp/{APIS_PORT if asked.kind == 'api' else asked.port}"
    for reach in estate.tenants[source].reaches:
        if (reach.tenant, reach.service, port) == (tenant, service, port_of):
            return Verdict(permitted=True, flow=f"tenants/{source}.yml", why=reach.reason)
    return Verdict(permitted=False, flow="", why="")


def _service(word: str, estate: Estate) -> str:
    known = [f"{t.name}/{s.name}" for t in estate.tenants.values() for s in t.answering]
    if word not in known:
        raise click.UsageError(f"there is no service {word!r}; services are {', '.join(known)}")
    return word


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
