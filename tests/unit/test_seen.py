"""A survey's rows from what a router says: planned, enrolled, strange, and how full its pools are."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from balai.audit.host_parsing import leases, neighbours
from balai.audit.survey import Pool, enrolments, pools, seen
from balai.models import Enrolment, load
from balai.sites import INVENTORIES, SiteView, load_site
from balai.yamlfile import parse

ENROLLED = """site: mpp-banyuwangi
machines:
- {name: loket-1, office: dukcapil, number: 2, mac: "02:00:00:00:00:01", managed: network-only}
"""
LEASES = """address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context,pool_id
10.64.8.16,02:00:00:00:00:09,,3600,2000,6,0,0,tamu.,0,,0
10.64.8.17,02:00:00:00:00:0a,,3600,900,6,0,0,,0,,0
10.64.8.18,02:00:00:00:00:0b,,3600,2000,6,0,0,,0,,0
"""
LATER = """address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context,pool_id
10.64.8.18,02:00:00:00:00:0b,,3600,2000,6,0,0,,2,,0
"""
NEIGHBOURS = """[{"dst":"10.64.8.2","dev":"off0","lladdr":"02:00:00:00:00:01","state":["STALE"]},
{"dst":"fe80::1","dev":"off0","lladdr":"02:00:00:00:00:01","state":["STALE"]},
{"dst":"10.64.0.10","dev":"mgmt","lladdr":"02:00:00:00:00:02","state":["REACHABLE"]},
{"dst":"10.64.0.99","dev":"mgmt","state":["FAILED"]},
{"dst":"203.0.113.1","dev":"wan1","lladdr":"02:00:00:00:00:03","state":["REACHABLE"]}]"""


@pytest.fixture
def view(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SiteView:
    (tmp_path / "mpp-banyuwangi.yml").write_text(ENROLLED)
    monkeypatch.setenv("BALAI_ENROLMENT", str(tmp_path))
    return load_site(INVENTORIES / "sites" / "mpp-banyuwangi.yml")


def facts() -> dict[str, object]:
    return {"neighbours": neighbours(NEIGHBOURS), "leases": leases([LEASES, LATER], now=1000)}


def test_a_lease_counts_until_it_ends_or_is_given_back() -> None:
    assert leases([LEASES, LATER], now=1000) == [
        {"address": "10.64.8.16", "mac": "02:00:00:00:00:09", "name": "tamu"}
    ], "17 is over, 18 was given back in the later file"
    assert len(leases([LEASES], now=1000)) == 2
    torn = LEASES + "10.64.10.64.8.19,02:00:00:00:00:0c,,3600,2000,6,0,0,,0,,0\n10.64.8."
    assert leases([torn], now=1000) == leases([LEASES], now=1000), "a line that a power cut tore is none"
    assert leases([], now=0) == []


def test_cards_are_known_by_enrolment_or_by_their_planned_address_and_the_lines_out_are_left_out(
    view: SiteView,
) -> None:
    rows = {row.mac: row for row in seen(view, facts())}

    assert (rows["02:00:00:00:00:01"].known, rows["02:00:00:00:00:01"].managed) == ("loket-1", "network-only")
    assert rows["02:00:00:00:00:01"].addresses == ("10.64.8.2", "fe80::1")
    assert rows["02:00:00:00:00:02"].known == "mpp-banyuwangi-server-1"
    assert (rows["02:00:00:00:00:09"].known, rows["02:00:00:00:00:09"].told) == ("", "tamu")
    assert set(rows) == {"02:00:00:00:00:01", "02:00:00:00:00:02", "02:00:00:00:00:09"}


def test_another_card_with_the_address_of_an_enrolled_machine_of_the_plan_is_a_stranger(
    view: SiteView, tmp_path: Path
) -> None:
    own = '- {name: mpp-banyuwangi-server-1, mac: "02:00:00:00:00:77", managed: full}\n'
    (tmp_path / "mpp-banyuwangi.yml").write_text(ENROLLED + own)
    stricter = load_site(INVENTORIES / "sites" / "mpp-banyuwangi.yml")

    (row,) = [row for row in seen(stricter, facts()) if row.mac == "02:00:00:00:00:02"]

    assert (row.addresses, row.known, row.managed) == (("10.64.0.10",), "", "")


def test_what_is_proposed_for_strangers_can_be_enrolled_as_it_is(view: SiteView, tmp_path: Path) -> None:
    proposed = enrolments(view, seen(view, facts()))
    path = tmp_path / "proposed.yml"
    shutil.copy(tmp_path / "mpp-banyuwangi.yml", path)
    lines = [f"- {{{', '.join(f'{k}: {v!r}' for k, v in one.items())}}}".replace("'", '"') for one in proposed]
    text = path.read_text() + "\n".join(lines)

    found = load(Enrolment, parse(text, "proposed.yml"))

    assert [(m.name, m.number, m.mac) for m in found.machines[1:]] == [("dukcapil-3", 3, "02:00:00:00:00:09")]


def test_pools_say_how_full_they_are(view: SiteView) -> None:
    assert Pool(network="offices dukcapil", size=15, lent=1) in pools(view, facts())
    assert all(pool.lent == 0 for pool in pools(view, {}))
