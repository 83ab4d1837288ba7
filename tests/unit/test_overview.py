"""Services as a table: who depends on whom, by tenants' files and by flows."""

from __future__ import annotations

import json
from typing import Any

from balai.estate import load_estate
from balai.kube import ApiError, Cluster
from balai.overview import services

ROWS = {row.name: row for row in services(load_estate(), {})}


def test_every_service_says_whose_it_is_where_and_what_may_be_lost() -> None:
    registry = ROWS["kependudukan/web"]

    assert len(ROWS) == sum(len([*t.services, *t.data_stores]) for t in load_estate().tenants.values())
    assert (registry.owner, registry.category, registry.recovery) == ("dukcapil", "strategis", "1h/4h")
    assert registry.clusters == ("cikarang", "batam")
    assert {row.kind for row in ROWS.values()} == {"web", "api", "worker", "job", "postgresql"}
    assert {row.backup for row in ROWS.values()} == {"MISS"}, "nothing has proven a backup"
    assert ROWS["kependudukan/data"].copies == "hourly > batam"
    assert ROWS["kependudukan/data"].needed_by == ("kependudukan/verifikasi", "kependudukan/web")
    assert ROWS["kependudukan/verifikasi"].needed_by == ("identitas",)


def test_dependents_are_tenants_that_reach_it_and_zones_whose_flows_do() -> None:
    assert "portal-layanan" in ROWS["identitas/web"].needed_by
    assert "kiosks" in ROWS["identitas/web"].needed_by
    assert "kiosks" not in ROWS["kependudukan/web"].needed_by
    assert "offices" in ROWS["kependudukan/web"].needed_by
    assert ROWS["pajak/web"].host == "pajak.balai.internal"


def test_the_table_is_in_the_reader_s_language_and_json_has_the_same(balai) -> None:
    said = balai("show", "services", BALAI_LANG="id").stdout
    rows = json.loads(balai("show", "services", "--json").stdout)

    assert f"{len(ROWS)} layanan" in said
    assert "belum ada bukti bahwa layanan dapat dipulihkan" in said
    assert "pajak: ramai before 31 March" in said
    assert "pajak: henti terencana by night" in said
    assert [row["name"] for row in rows] == list(ROWS)
    assert balai("show", "services", "--cluster", "sirius").returncode == 2


def test_what_runs_is_said_as_it_is_and_a_store_that_nobody_makes_is_not_ready() -> None:
    answers = {
        "/apis/apps/v1/namespaces/tenant-hukum/deployments/web": {
            "spec": {"replicas": 2},
            "status": {"readyReplicas": 1},
        },
        "/apis/batch/v1/namespaces/tenant-hukum/cronjobs/indeks": {
            "status": {"lastSuccessfulTime": "2026-11-24T19:30:05Z"}
        },
        "/apis/postgresql.cnpg.io/v1/namespaces/tenant-hukum/clusters/dokumen": {"spec": {"instances": 2}},
    }

    class Asked(Cluster):
        def __init__(self, faults: int) -> None:
            self.faults = faults

        def request(self, method: str, path: str, *more: Any, **also: Any) -> Any:
            if self.faults:
                raise ApiError(self.faults, {"message": "no"})
            return answers[path] if "tenant-hukum" in path else {"spec": {}}

    def seen(faults: int = 0) -> dict[str, str]:
        rows = services(load_estate(), {"cikarang": Asked(faults)})
        return {r.name: r.running["cikarang"] for r in rows if r.name.startswith("hukum/")}

    assert seen() == {"hukum/web": "1/2", "hukum/indeks": "2026-11-24T19:30:05Z", "hukum/dokumen": "0/2"}
    assert set(seen(404).values()) == {"0/0", "0"}
    assert set(seen(403).values()) == {"?"}


def test_a_store_is_asked_for_where_it_is_kept_and_nowhere_else() -> None:
    class Nobody(Cluster):
        def __init__(self) -> None: ...

        def request(self, method: str, path: str, *more: Any, **also: Any) -> Any:
            assert "postgresql" not in path
            return {"spec": {}}

    rows = services(load_estate(), {"batam": Nobody()})

    assert {r.running["batam"] for r in rows if r.kind == "postgresql" and r.running} == {"-"}
