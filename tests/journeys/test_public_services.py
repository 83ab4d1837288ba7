"""Every public service of the country's list, from the mall: it opens for each end that its flows name, as itself."""

from __future__ import annotations

import pytest

from balai.estate import load_estate
from balai.flows import host_of
from lab import gateway, machines, state

pytestmark = [pytest.mark.lab, pytest.mark.mall]

VIEW = machines.site()
TENANTS = load_estate().tenants
HOSTS = {host.short: host for host in machines.hosts()} | {host.name: host for host in machines.visitors()}
WHO = {"kiosks": "kiosk-1", "displays": "display-1", "servers": "server-1", "offices": "office-1"}
OPEN = sorted({(source, service) for flow in VIEW.flows for service in flow.services for source in flow.sources})


def ask(source: str, service: str) -> str:
    """Return a service's page and its HTTP status, as a machine of an end gets them; "" when it is not who it should be."""
    authority = (state.PKI / "gateway.crt").read_text()
    argv = [
        "curl",
        "-sS",
        "--max-time",
        "8",
        "--cacert",
        "/dev/stdin",
        "-w",
        "%{http_code}",
        f"https://{host_of(service)}/",
    ]
    done = machines.inside(HOSTS[WHO[source]], *argv, stdin=authority)
    return done.stdout if done.returncode == 0 else ""


@pytest.mark.parametrize(("source", "service"), OPEN)
def test_a_service_opens_for_whom_a_flow_names(source: str, service: str) -> None:
    tenant = TENANTS[service.partition("/")[0]]
    # The lab's receiver stands for what takes complaints in; it has no page.
    title = "" if service == gateway.INTAKE else f'<h1 lang="id">{tenant.title}</h1>'
    said = ""
    for _ in range(20):  # offices are let in once a router that other tests restarted knows the time
        if said := ask(source, service):
            break

    assert said
    assert title in said


def test_every_service_that_the_country_named_is_open_to_somebody_in_a_mall() -> None:
    named = {"hukum", "identitas", "kependudukan", "pajak", "pajak-banyuwangi", "pemda-banyuwangi", "portal-asn"}

    assert named | {"portal-layanan"} <= {service.partition("/")[0] for _, service in OPEN}


def test_a_service_that_no_flow_names_is_not_served_under_its_name() -> None:
    assert "kependudukan/verifikasi" not in {service for _, service in OPEN}
    assert ask("servers", "kependudukan/verifikasi") == ""
