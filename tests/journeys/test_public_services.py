"""
Every public service of the country's list, from the mall: it opens for each end that its flows name, as itself, and is
refused to every other.
"""

from __future__ import annotations

import subprocess

import pytest

from balai import addressing
from balai.estate import load_estate
from balai.flows import host_of
from lab import control_plane, gateway, machines, network, state

pytestmark = [pytest.mark.lab, pytest.mark.mall]

VIEW = machines.site()
ESTATE = load_estate()
TENANTS = ESTATE.tenants
HOSTS = {host.short: host for host in machines.hosts()} | {host.name: host for host in machines.visitors()}
WHO = {"kiosks": "kiosk-1", "displays": "display-1", "servers": "server-1", "offices": "office-1"}
OPEN = sorted({(source, service) for flow in VIEW.flows for service in flow.services for source in flow.sources})


CLOSED = sorted((end, service) for end in WHO for service in {s for _, s in OPEN} if (end, service) not in OPEN)
ELSEWHERE = addressing.mall(addressing.LAST_MALL)  # of no mall that is declared


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


@pytest.mark.parametrize(("source", "service"), CLOSED)
def test_a_service_is_refused_to_whom_no_flow_names_though_the_firewall_lets_the_gateway_be_asked(
    source: str, service: str
) -> None:
    said = ""
    for _ in range(20):
        if said := ask(source, service):
            break

    assert said.endswith("403")
    assert TENANTS[service.partition("/")[0]].title not in said


@pytest.mark.parametrize(
    ("mall", "service", "status"),
    [
        ("mpp-banyuwangi", "pajak-banyuwangi/web", "200"),
        ("mpp-bandung", "pajak-banyuwangi/web", "403"),
        ("mpp-bandung", "hukum/web", "200"),
        ("", "hukum/web", "403"),
    ],
)
def test_a_region_s_service_is_refused_to_the_kiosks_of_another_s_mall(mall: str, service: str, status: str) -> None:
    """Another mall has no router here: its kiosk is an address that asks from beside the gateway."""
    plan = addressing.mall(ESTATE.ledger[mall]) if mall else ELSEWHERE
    kiosk = plan.zones[addressing.Zone.KIOSKS][99]
    network.ip("addr", "add", f"{kiosk}/32", "dev", "lo", netns=control_plane.NETNS)
    try:
        argv = ["curl", "-sS", "--max-time", "8", "--interface", str(kiosk), "--cacert", str(state.PKI / "gateway.crt")]
        where = ["--connect-to", f"::{control_plane.PLAN.gateways[addressing.PORTAL]}:443", "-o", "/dev/null"]
        words = [*argv, *where, "-w", "%{http_code}", f"https://{host_of(service)}/"]
        done = subprocess.run(
            ["nsenter", f"--net=/run/netns/{control_plane.NETNS}", *words], capture_output=True, text=True, check=True
        )
    finally:
        network.ip("addr", "del", f"{kiosk}/32", "dev", "lo", netns=control_plane.NETNS)

    assert done.stdout == status


def test_every_service_that_the_country_named_is_open_to_somebody_in_a_mall() -> None:
    named = {"hukum", "identitas", "kependudukan", "pajak", "pajak-banyuwangi", "pemda-banyuwangi", "portal-asn"}

    assert named | {"portal-layanan"} <= {service.partition("/")[0] for _, service in OPEN}


def test_a_service_that_no_flow_names_is_not_served_under_its_name() -> None:
    assert "kependudukan/verifikasi" not in {service for _, service in OPEN}
    assert ask("servers", "kependudukan/verifikasi") == ""
