"""The whole country, synthetic: 514 malls and 300 tenants through every validation, plan, compile and list of stacks."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from balai import addressing
from balai.components.tenant_space import network_policies
from balai.deploy import stacks_of
from balai.estate import Estate, load_estate
from balai.flows import allow_list, compile_for
from balai.mall import calendar_of, dhcp_of, links_of, resolver_of
from balai.mall.wiring import missing
from balai.sites import load_site
from stacks.layers import _front, _space_args
from tests import country


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("country") / "inventories"
    country.write(root)
    return root


@pytest.fixture(scope="module")
def estate(folder: Path) -> Estate:
    return load_estate(folder)


def test_every_region_has_a_mall_and_what_is_synthetic_says_so(estate: Estate) -> None:
    synthetic = [site for site in estate.sites.values() if site.title.startswith(country.MARK)]
    declared = load_estate()

    assert (len(estate.sites), len(estate.tenants)) == (514, country.TENANTS)
    assert {name for name in estate.sites if estate.sites[name] not in synthetic} == set(declared.sites)
    assert all(estate.ledger[name] == index for name, index in declared.ledger.items()), "no declared mall has moved"
    served = {code for site in estate.sites.values() for code in site.regions}
    assert {code for code in estate.regions if code not in served and not any(r == code[:2] for r in served)} == set()


def test_no_two_malls_share_an_address(estate: Estate) -> None:
    plans = [addressing.mall(estate.ledger[name]) for name in estate.sites]

    for whole in (sorted(p.whole for p in plans), sorted(p.v6 for p in plans)):
        assert not any(a.overlaps(b) for a, b in pairwise(whole))


def test_every_mall_has_its_whole_network(folder: Path, estate: Estate) -> None:
    for name in sorted(estate.sites)[::4]:
        view = load_site(folder / "sites" / f"{name}.yml")
        rules = compile_for("router", view.flows, view.plan)
        own = {n for r in rules if r.chain == "forward" for n in r.sources} | {
            r.sources for r in rules if not r.sources
        }

        assert all(n.subnet_of(view.plan.whole) for n in own if n.version == 4 and n != addressing.GUESTS), name
        assert len(links_of(view.machines[0], view)) >= 6
        assert missing(view) == []
        assert set(calendar_of(view)["offices"]) == {o.agency for o in view.site.offices}
        assert resolver_of(view)["zone"] == f"{name}.balai.internal"
        assert len({item["network"] for item in dhcp_of(view)}) == len(dhcp_of(view))
        assert ("https://pajak-banyuwangi.balai.internal" in allow_list(view.flows, "kiosks")) == (
            "35.10" in view.site.regions
        )


def test_every_tenant_has_its_stack_and_its_walls_and_the_gateway_lets_every_mall_in(estate: Estate) -> None:
    cluster = estate.clusters["cikarang"]
    first, others = stacks_of(estate, "cikarang")

    assert len(others) == country.TENANTS
    assert len({t.namespace for t in estate.tenants.values()}) == country.TENANTS
    for tenant in list(estate.tenants_of("cikarang"))[::20]:
        policies = network_policies(_space_args(estate, cluster, tenant))
        assert policies["default-deny"]["policyTypes"] == ["Ingress", "Egress"]
        apis = {(t.name, s.name) for t in estate.tenants.values() for s in t.services if s.kind == "api"}
        needed = {"reach-apis" if (r.tenant, r.service) in apis else f"reach-{r.tenant}" for r in tenant.reaches}
        assert needed <= set(policies)
    (rule,) = _front(estate, cluster)["from-malls"]["ingress"]
    blocks = [block["ipBlock"]["cidr"] for block in rule["from"]]
    assert len(blocks) < 60, "514 malls in few blocks, none wider than our own rules allow"
    assert first == ["foundation.cikarang"]
