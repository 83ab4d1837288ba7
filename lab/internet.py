"""
What lies between the lab's mall and its data centre: two providers, and the internet behind them.

Each provider is a namespace that gives the mall's router an address (DHCP, router advertisement) and
passes packets on. They stand for lines that a mall buys; `python -m lab wan` cuts them, as excavators do.
All addresses are those for documentation (RFC 5737, RFC 3849).
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from balai.errors import EnvironmentFault
from lab import control_plane, machines, network, processes, state

NETNS = "balai-internet"
GROUP = "internet"
WEB, WEB_V6 = "198.51.100.10", "2001:db8:ff::10"  # somebody out there
DATA_CENTRE, DATA_CENTRE_V6 = "198.51.100.2", "2001:db8:ff::2"  # where the overlay's end is reached
HOWS = ("upstream", "carrier")
CORE, CORE_V6 = "198.51.100.1", "2001:db8:ff::1"


@dataclass(frozen=True)
class Provider:
    """One line: what the mall sees of it, and its place in the internet."""

    number: int
    network: str
    network_v6: str

    @property
    def netns(self) -> str:
        """Its network namespace."""
        return f"balai-isp{self.number}"

    @property
    def place(self) -> tuple[str, str]:
        """Its addresses in the internet."""
        return f"198.51.100.{100 + self.number}", f"2001:db8:ff::{100 + self.number}"


PROVIDERS = (Provider(1, "203.0.113", "2001:db8:1"), Provider(2, "192.0.2", "2001:db8:2"))


def up() -> str:
    """Make the internet and the providers, and join the data centre; what is there stays."""
    network.make(NETNS)
    if "br-core" not in network.ip("-br", "link", netns=NETNS):
        network.ip("link", "add", "br-core", "type", "bridge", "stp_state", "0", "forward_delay", "0", netns=NETNS)
    for address in (f"{CORE}/24", f"{CORE_V6}/64", f"{WEB}/32", f"{WEB_V6}/128"):
        network.ip("addr", "replace", address, "dev", "br-core", netns=NETNS)
    network.ip("link", "set", "br-core", "up", netns=NETNS)
    _join("internet", control_plane.NETNS, "dc", DATA_CENTRE, DATA_CENTRE_V6)
    for provider in PROVIDERS:
        network.make(provider.netns)
        place, place_v6 = provider.place
        _join("core", provider.netns, f"isp{provider.number}", place, place_v6)
        network.ip("route", "replace", "default", "via", CORE, netns=provider.netns)
        lan = (f"{provider.network}.1/24", f"{provider.network_v6}::1/64")
        network.join(
            "lan", provider.netns, f"isp{provider.number}", machines.NETNS, *lan, bridge=f"br-wan{provider.number}"
        )
        for netns in (NETNS, control_plane.NETNS):
            network.ip("route", "replace", f"{provider.network}.0/24", "via", place, netns=netns)
            network.ip("-6", "route", "replace", f"{provider.network_v6}::/64", "via", place_v6, netns=netns)
        _serve(provider)
    return f"{len(PROVIDERS)} providers"


def _join(name: str, netns: str, other: str, v4: str, v6: str) -> None:
    network.join(name, netns, other, NETNS, f"{v4}/24", f"{v6}/64", bridge="br-core")


def _serve(provider: Provider) -> None:
    leases = state.RUN / f"isp{provider.number}.leases"
    processes.ensure(
        f"isp{provider.number}",
        [
            "dnsmasq",
            "--keep-in-foreground",
            "--conf-file=/dev/null",
            "--user=root",
            "--pid-file=",
            "--port=0",
            "--interface=lan",
            "--bind-interfaces",
            f"--dhcp-range={provider.network}.100,{provider.network}.200,10m",
            f"--dhcp-option=option:router,{provider.network}.1",
            f"--dhcp-leasefile={leases}",
            "--enable-ra",
            f"--dhcp-range={provider.network_v6}::,ra-only,64",
            "--log-facility=-",
        ],
        group=GROUP,
        netns=provider.netns,
    )


def cut(number: int, how: str = "upstream") -> None:
    """Cut a line: `upstream` behind the provider's equipment, `carrier` at the router's own socket."""
    _switch(number, how, "down")


def restore(number: int) -> None:
    """Mend a line, however it was cut."""
    for how in HOWS:
        _switch(number, how, "up")
    provider = PROVIDERS[number - 1]
    # A link that goes down takes its routes with it, and its IPv6 addresses.
    network.ip("route", "replace", "default", "via", CORE, netns=provider.netns)
    up()


def flap(number: int, times: int = 5, seconds: float = 1.0) -> None:
    """Cut and mend a line in turn, as a bad plug does."""
    for _ in range(times):
        cut(number, "carrier")
        time.sleep(seconds)
        restore(number)
        time.sleep(seconds)


def _switch(number: int, how: str, to: str) -> None:
    if not 1 <= number <= len(PROVIDERS):
        raise EnvironmentFault(f"There are lines 1 to {len(PROVIDERS)}, not {number}.")
    if how == "upstream":
        network.ip("link", "set", "core", to, netns=PROVIDERS[number - 1].netns)
    else:
        (router,) = [host for host in machines.hosts() if host.kind == "router"]
        network.ip("link", "set", machines.card_of(router, f"wan{number}"), to, netns=machines.NETNS)


def stop() -> None:
    """End it all."""
    processes.end(GROUP)
    for netns in (NETNS, *(provider.netns for provider in PROVIDERS)):
        network.remove(netns)
