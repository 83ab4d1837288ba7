"""What tenants run, by kind: each becomes what its file says, breaks no rule, and is counted."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest
from pydantic import TypeAdapter, ValidationError

from balai.capacity import Size, most_of, pods_of, runs_of, storage_of
from balai.components import tenant_end
from balai.components.data_store import DATABASE, DataStore, copies, postgresql
from balai.components.foundation import apis_gateway
from balai.components.internal_api import limit_of, path_of, route_of
from balai.components.scheduled_job import cron_job
from balai.components.tenant_space import tenant_namespace
from balai.components.workloads import autoscaler, deployment
from balai.estate import load_estate
from balai.models.service import Cron
from balai.rules import Judge

ESTATE = load_estate()
Json = dict[str, Any]


def service(name: str) -> Any:
    tenant, _, wanted = name.partition("/")
    (found,) = [s for s in ESTATE.tenants[tenant].services if s.name == wanted]
    return found


def store(tenant: str) -> Any:
    return ESTATE.tenants[tenant].data_stores[0]


def container(spec: Json) -> Json:
    (found,) = spec["template"]["spec"]["containers"]
    return found


@pytest.mark.parametrize("text", ["30 2 * * *", "*/15 * * * *", "0 3 1 * *", "0 8-16/2 * * 1-5", "5,35 0 * 1,7 *"])
def test_a_schedule_that_every_cron_knows_is_taken(text: str) -> None:
    assert TypeAdapter(Cron).validate_python(text) == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("@daily", "five fields"),
        ("0 0 2 * * *", "five fields"),
        ("60 2 * * *", "'60' is no minute"),
        ("0 24 * * *", "'24' is no hour"),
        ("0 2 0 * *", "'0' is no day of the month"),
        ("0 2 * 13 *", "'13' is no month"),
        ("0 2 * * 7", "'7' is no day of the week"),
        ("0 2 * * mon", "'mon' is no day of the week"),
        ("0 5-2 * * *", "'5-2' is no hour"),
        ("0/5 2 * * *", "'0/5' is no minute"),
        ("*/0 2 * * *", "'*/0' is no minute"),
        ("0  2 * * *", "five fields"),
    ],
)
def test_a_schedule_that_could_be_read_in_two_ways_or_never_comes_is_refused(text: str, words: str) -> None:
    with pytest.raises(ValidationError, match=words.replace("*", r"\*")):
        TypeAdapter(Cron).validate_python(text)


def test_a_worker_is_asked_by_a_command_and_opens_no_port() -> None:
    spec = deployment(ESTATE.tenants["portal-layanan"], service("portal-layanan/penerus-aduan"))
    (made,) = spec["template"]["spec"]["containers"]

    assert "ports" not in made
    assert made["args"] == ["pause"]
    assert made["livenessProbe"]["exec"]["command"] == ["/page", "once"]
    assert made["readinessProbe"] == made["livenessProbe"]


def test_a_job_runs_in_its_zone_never_beside_itself_and_ends() -> None:
    spec = cron_job(ESTATE.tenants["hukum"], service("hukum/indeks"))
    run = spec["jobTemplate"]["spec"]

    assert (spec["schedule"], spec["timeZone"], spec["concurrencyPolicy"]) == ("30 2 * * *", "Asia/Jakarta", "Forbid")
    assert run["activeDeadlineSeconds"] == 2 * 3600
    assert run["template"]["spec"]["restartPolicy"] == "Never"
    assert "livenessProbe" not in container(run)


def test_copies_begin_with_the_least_and_the_autoscaler_goes_no_lower() -> None:
    web = service("pajak/web")
    scaled = autoscaler(web)

    assert deployment(ESTATE.tenants["pajak"], web)["replicas"] == scaled["minReplicas"] == 2
    assert scaled["maxReplicas"] == 6
    assert scaled["metrics"][0]["resource"]["target"]["averageUtilization"] == 70


def test_a_service_is_given_the_files_of_the_stores_that_it_names_and_starts_without_them() -> None:
    spec = deployment(ESTATE.tenants["pajak"], service("pajak/web"))["template"]["spec"]
    bare = deployment(ESTATE.tenants["pemda-banyuwangi"], service("pemda-banyuwangi/web"))["template"]["spec"]

    assert spec["volumes"] == [{"name": "store-data", "secret": {"secretName": "data-app", "optional": True}}]
    assert spec["containers"][0]["volumeMounts"][0]["mountPath"] == "/run/stores/data"
    assert "volumes" not in bare


def test_an_api_is_below_its_own_path_and_no_request_is_let_through_uncounted() -> None:
    tenant, api = ESTATE.tenants["kependudukan"], service("kependudukan/verifikasi")
    (rule,) = route_of(tenant, api)["rules"]
    limit = limit_of(api)

    assert path_of(tenant, api) == "/kependudukan/verifikasi"
    assert rule["matches"] == [{"path": {"type": "PathPrefix", "value": "/kependudukan/verifikasi"}}]
    assert rule["backendRefs"] == [{"name": "verifikasi", "namespace": "tenant-kependudukan", "port": 80}]
    assert limit["rateLimit"]["local"]["rules"] == [{"limit": {"requests": 50, "unit": "Second"}}]


def test_the_gateway_for_apis_breaks_no_rule_and_is_not_made_under_a_name_that_nobody_gave() -> None:
    gateway = {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": "apis", "namespace": "balai-gateway"},
        "spec": apis_gateway("api.layanan.go.id"),
    }

    assert [str(f) for f in Judge("plan").judge(gateway, "strategis")] == []
    assert {cluster.api_domain for cluster in ESTATE.clusters.values()} == {"unknown"}


@pytest.mark.parametrize("tenant", [t for t in ESTATE.tenants.values() if t.data_stores], ids=lambda t: t.name)
def test_a_store_s_copies_lie_in_another_data_centre_and_its_volumes_break_no_rule(tenant: Any) -> None:
    cluster = ESTATE.clusters[tenant.clusters[0]]
    spec = postgresql(tenant, store(tenant.name), cluster.name)
    kept = spec["backup"]["barmanObjectStore"]
    volume = {  # what the operator makes of it
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data-1", "namespace": tenant.namespace, "labels": spec["inheritedMetadata"]["labels"]},
        "spec": {"storageClassName": spec["storage"]["storageClass"], "accessModes": ["ReadWriteOnce"]},
    }

    assert cluster.data_centre not in kept["endpointURL"]
    assert kept["destinationPath"] == f"s3://{tenant.namespace}/{cluster.name}"
    assert spec["enableSuperuserAccess"] is False
    assert [str(f) for f in Judge("admission").judge(volume, None, tenant_namespace(tenant))] == []


@pytest.mark.parametrize(("allowed", "goes"), [("", False), ("bkn", False), ("djp", True)])
def test_a_store_of_an_active_tenant_goes_when_two_people_say_so_and_not_with_its_line(
    allowed: str, goes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Any] = []
    monkeypatch.setattr(tenant_end, "gate", given.append)
    monkeypatch.setattr(tenant_end.gates, "refusals", lambda *_: [])
    monkeypatch.setattr(tenant_end, "deletions", lambda stack, owner, now: (stack, owner) == ("its", allowed))
    tenant_end.tenant_gate(ESTATE, ESTATE.tenants["pajak"], "its")
    database = pulumi.ResourceHookArgs(urn="", id="", name="pajak-data-cluster", type=DATABASE)

    why = given[0]("delete", database)

    assert (why == []) is goes
    assert goes or "put it back into `data_stores`" in why[0]
    assert given[0]("update", database) == []


def test_a_store_is_what_the_gate_is_asked_about_and_nothing_else_keeps_it_from_its_tenant_s_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: dict[str, pulumi.ResourceOptions] = {}
    monkeypatch.setattr(pulumi.ComponentResource, "__init__", lambda *_: None)
    monkeypatch.setattr(pulumi.ComponentResource, "register_outputs", lambda *_: None)
    # What the engine would be told, by the type that it knows an object by.
    monkeypatch.setattr(
        pulumi.CustomResource, "__init__", lambda _, type_, name, props, opts: seen.update({type_: opts})
    )

    DataStore("pajak-data", ESTATE.tenants["pajak"], store("pajak"), "cikarang")

    assert seen[DATABASE].protect is None


def test_whole_copies_are_as_often_as_declared_and_do_not_all_begin_at_once() -> None:
    schedules = {t.name: copies(t, store(t.name))["schedule"].split() for t in ESTATE.tenants.values() if t.data_stores}

    assert all(len(fields) == 6 and fields[0] == "0" for fields in schedules.values()), "the first field is seconds"
    assert schedules["pajak"][2:] == ["*", "*", "*", "*"]
    assert schedules["portal-asn"][3:] == ["*", "*", "*"]
    assert schedules["portal-asn"][2].isdigit()
    assert schedules["hukum"][5].isdigit()
    assert len({tuple(fields[:3]) for fields in schedules.values()}) > 1


def test_everything_that_runs_is_counted_workers_jobs_and_stores_too() -> None:
    portal = ESTATE.tenants["portal-layanan"]  # 2 + 2 pages, 2 workers, 2 of a store

    assert runs_of(portal) == Size(cpu=6 * 20 + 2 * 250, memory=6 * 32 + 2 * 512, pods=8)
    assert most_of(portal) == Size(cpu=9 * 20 + 3 * 250, memory=9 * 32 + 3 * 512, pods=12)
    assert runs_of(ESTATE.tenants["hukum"]).pods == 2 + 1 + 2
    assert most_of(ESTATE.tenants["pajak"]).pods == 7 + 3, "scaled out"
    assert storage_of(portal) == 2 * 20 * 1024
    assert len(pods_of(portal)) == 4
