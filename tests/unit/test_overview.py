"""Services as a table: who depends on whom, by tenants' files and by flows."""

from __future__ import annotations

import json

from balai.estate import load_estate
from balai.overview import services

ROWS = {row.name: row for row in services(load_estate(), {})}


def test_every_service_says_whose_it_is_where_and_what_may_be_lost() -> None:
    registry = ROWS["kependudukan/web"]

    assert len(ROWS) == sum(len(tenant.services) for tenant in load_estate().tenants.values())
    assert (registry.owner, registry.category, registry.recovery) == ("dukcapil", "strategis", "1h/4h")
    assert registry.clusters == ("cikarang", "batam")
    assert {row.backup for row in ROWS.values()} == {"MISS"}, "nothing has proven a backup"


def test_dependents_are_tenants_that_reach_it_and_zones_whose_flows_do() -> None:
    assert "portal-layanan" in ROWS["identitas/web"].needed_by
    assert "kiosks" in ROWS["identitas/web"].needed_by
    assert "kiosks" not in ROWS["kependudukan/web"].needed_by
    assert "offices" in ROWS["kependudukan/web"].needed_by
    assert ROWS["pajak/web"].host == "pajak.balai.internal"


def test_the_table_is_in_the_reader_s_language_and_json_has_the_same(balai) -> None:
    said = balai("show", "services", BALAI_LANG="id").stdout
    rows = json.loads(balai("show", "services", "--json").stdout)

    assert "9 layanan" in said
    assert "belum ada bukti bahwa layanan dapat dipulihkan" in said
    assert [row["name"] for row in rows] == list(ROWS)
    assert balai("show", "services", "--cluster", "sirius").returncode == 2
