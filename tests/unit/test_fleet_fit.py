"""Who still fits: sums that more machines never make worse, with the remedy that a verdict names."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from balai.capacity import cpu_of, memory_of
from balai.estate import Estate, load_estate
from balai.fleet import fit as fitting
from balai.fleet.fit import Loss, Verdict, fit, losses, words
from balai.models import Tenant
from balai.models.fleet import GENERAL

ESTATE = load_estate()
RACKS = ("a", "b", "c")
WORSE = {"fits": 0, "degraded": 1, "not": 2}
CATEGORIES = ("strategis", "tinggi", "rendah")


def tenant(name: str, category: str = "rendah", **more: Any) -> Tenant:
    """A tenant that is agreed `quota` cores, and declares one service, and as many data stores as `stores`."""
    quota = {"cpu": str(more.get("quota", 4)), "memory": more.get("memory", "4Gi"), "pods": more.get("pods", 20)}
    quota["storage"] = "100Gi"
    service = ESTATE.tenants["pajak"].services[0].model_dump()
    wants = {"cpu": more.get("cpu", "100m"), "memory": more.get("each", "32Mi")}
    return ESTATE.tenants["pajak"].model_copy(
        update={
            "name": name,
            "category": category,
            "clusters": more.get("clusters", ["cikarang", "batam"]),
            "quota": type(ESTATE.tenants["pajak"].quota).model_validate(quota),
            "services": [
                type(ESTATE.tenants["pajak"].services[0]).model_validate(
                    {**service, "replicas": more.get("replicas", 2), "resources": wants}
                )
            ],
            "data_stores": ESTATE.tenants["pajak"].data_stores * more.get("stores", 0),
            "status": more.get("status", "active"),
        }
    )


def estate_of(tenants: list[Tenant], **racks: dict[str, int]) -> Estate:
    """The estate with these tenants, and so many machines of the tenants' class in the racks of each cluster."""
    clusters = {}
    for name, cluster in ESTATE.clusters.items():
        pools = [
            pool.model_copy(update={"racks": racks.get(name, pool.racks)}) if pool.machines == GENERAL else pool
            for pool in cluster.pools
        ]
        clusters[name] = cluster.model_copy(update={"pools": pools})
    return replace(ESTATE, tenants={t.name: t for t in tenants}, clusters=clusters)


def with_class(estate: Estate, **more: int) -> Estate:
    made = estate.machines[GENERAL].model_copy(update=more)
    return replace(estate, machines={**estate.machines, GENERAL: made})


def states(estate: Estate, loss: Loss) -> dict[str, int]:
    return {verdict.tenant: WORSE[verdict.state] for verdict in fit(estate, loss)}


def verdict_of(estate: Estate, name: str, loss: Loss = Loss()) -> Verdict:  # noqa: B008 - it is frozen
    return next(verdict for verdict in fit(estate, loss) if verdict.tenant == name)


def a_rack() -> st.SearchStrategy[dict[str, int]]:
    return st.fixed_dictionaries({rack: st.integers(0, 3) for rack in RACKS})


@st.composite
def estates(draw: st.DrawFn) -> Estate:
    """Small data centres with tenants that fill them about so far."""
    count = draw(st.integers(1, 6))
    placed = st.sampled_from([["cikarang"], ["batam"], ["cikarang", "batam"], ["batam", "cikarang"]])
    tenants = [
        tenant(
            f"t{n}x",
            draw(st.sampled_from(CATEGORIES)),
            clusters=draw(placed),
            quota=draw(st.integers(1, 80)),
            memory=f"{draw(st.integers(1, 300))}Gi",
            pods=draw(st.integers(1, 300)),
            cpu=f"{draw(st.integers(1, 40_000))}m",
            each=f"{draw(st.integers(1, 150))}Gi",
            replicas=draw(st.integers(1, 4)),
            stores=draw(st.integers(0, 3)),
            status=draw(st.sampled_from(["active", "requested", "frozen", "decommissioning"])),
        )
        for n in range(count)
    ]
    return estate_of(tenants, cikarang=draw(a_rack()), batam=draw(a_rack()))


@settings(max_examples=50, deadline=None)
@given(estate=estates(), cluster=st.sampled_from(["cikarang", "batam"]), rack=st.sampled_from(RACKS))
def test_another_machine_in_any_rack_never_makes_a_verdict_worse(estate: Estate, cluster: str, rack: str) -> None:
    before = next(p for p in estate.clusters[cluster].pools if p.machines == GENERAL).racks
    other = "batam" if cluster == "cikarang" else "cikarang"
    same = next(p for p in estate.clusters[other].pools if p.machines == GENERAL).racks
    more = estate_of(list(estate.tenants.values()), **{cluster: {**before, rack: before[rack] + 1}, other: dict(same)})

    for loss in losses(estate):
        worse = {name: state for name, state in states(more, loss).items() if state > states(estate, loss)[name]}
        assert worse == {}, loss


@settings(max_examples=50, deadline=None)
@given(
    estate=estates(),
    more=st.fixed_dictionaries({"cpu": st.integers(32, 64), "memory_gib": st.integers(128, 512), "pods": st.integers(110, 250)}),
)  # fmt: skip
def test_larger_machines_never_make_a_verdict_worse(estate: Estate, more: dict[str, int]) -> None:
    larger = with_class(estate, **more)

    for loss in losses(estate):
        assert all(state <= states(estate, loss)[name] for name, state in states(larger, loss).items()), loss


@settings(max_examples=50, deadline=None)
@given(estate=estates(), headroom=st.integers(10, 50))
def test_more_headroom_never_makes_a_verdict_better(estate: Estate, headroom: int) -> None:
    careful = replace(estate, headroom_percent=headroom)

    for loss in losses(estate):
        assert all(state >= states(estate, loss)[name] for name, state in states(careful, loss).items()), loss


@settings(max_examples=50, deadline=None)
@given(estate=estates())
def test_a_rack_that_is_gone_makes_no_verdict_better(estate: Estate) -> None:
    """A whole data centre is another matter: then the standby is promoted, and it may have the room."""
    now = states(estate, Loss())

    for loss in losses(estate):
        if loss.rack:
            assert all(state >= now[name] for name, state in states(estate, loss).items()), loss


@settings(max_examples=50, deadline=None)
@given(estate=estates(), gone=st.sampled_from(["cikarang", "batam"]))
def test_a_data_centre_that_is_gone_makes_nobody_s_verdict_better_who_was_not_carried_there(
    estate: Estate, gone: str
) -> None:
    now = {v.tenant: v for v in fit(estate, Loss())}

    for verdict in fit(estate, Loss(gone)):
        if now[verdict.tenant].cluster != gone:
            assert WORSE[verdict.state] >= WORSE[now[verdict.tenant].state]


@settings(max_examples=50, deadline=None)
@given(estate=estates())
def test_the_machines_that_a_verdict_names_make_it_fit_and_one_fewer_does_not(estate: Estate) -> None:
    for verdict in fit(estate, Loss()):
        if not verdict.machines:
            continue
        racks = {
            name: dict(next(p for p in c.pools if p.machines == GENERAL).racks) for name, c in estate.clusters.items()
        }
        helped = {**racks, verdict.cluster: {**racks[verdict.cluster], "d": verdict.machines}}
        short = {**racks, verdict.cluster: {**racks[verdict.cluster], "d": verdict.machines - 1}}
        tenants = list(estate.tenants.values())

        assert verdict_of(estate_of(tenants, **helped), verdict.tenant).state == "fits"
        assert verdict_of(estate_of(tenants, **short), verdict.tenant).state != "fits"


@settings(max_examples=50, deadline=None)
@given(estate=estates())
def test_who_does_not_fit_is_told_a_remedy_and_who_fits_lacks_nothing(estate: Estate) -> None:
    for loss in losses(estate):
        for verdict in fit(estate, loss):
            if verdict.state == "fits":
                assert (verdict.short, verdict.machines) == ({}, 0)
            elif verdict.machines:
                assert verdict.short
                assert f"{verdict.machines} more machine(s)" in words(verdict)
            elif verdict.cluster:
                assert "larger than a machine" in words(verdict)
                assert max(cpu_of(s.resources.cpu) for s in estate.tenants[verdict.tenant].services) > 27_000 or max(
                    memory_of(s.resources.memory) for s in estate.tenants[verdict.tenant].services
                ) > int(120 * 1024 * 0.9)
            else:
                assert "no other cluster" in words(verdict)


@settings(max_examples=50, deadline=None)
@given(estate=estates(), seed=st.integers())
def test_a_verdict_does_not_hang_on_the_order_of_files(estate: Estate, seed: int) -> None:
    mixed = list(estate.tenants.items())
    random.Random(seed).shuffle(mixed)
    turned = replace(estate, tenants=dict(mixed), clusters=dict(reversed(estate.clusters.items())))

    for loss in losses(estate):
        assert fit(turned, loss) == fit(estate, loss)


@settings(max_examples=50, deadline=None)
@given(estate=estates())
def test_everybody_who_is_not_being_ended_has_one_verdict_in_each_case(estate: Estate) -> None:
    wanted = sorted(t.name for t in estate.tenants.values() if t.status != "decommissioning")

    for loss in losses(estate):
        assert [verdict.tenant for verdict in fit(estate, loss)] == wanted


def test_each_rack_and_each_data_centre_is_asked_about() -> None:
    assert list(map(str, losses(ESTATE))) == [
        "", "batam/a", "batam/b", "batam/c", "cikarang/a", "cikarang/b", "cikarang/c", "batam", "cikarang",
    ]  # fmt: skip


def test_what_matters_less_gives_way_and_what_matters_as_much_gives_way_together() -> None:
    """Two cores for a name that comes first in the alphabet would be no reason that anybody could be told."""
    tenants = [tenant("aaa", "rendah"), tenant("bbb", "tinggi", quota=14), tenant("ccc", "tinggi", quota=14)]
    room = {"a": 1}

    found = states(estate_of([*tenants, tenant("ddd", "strategis")], cikarang=room), Loss())

    assert found == {"ddd": WORSE["fits"], "bbb": WORSE["degraded"], "ccc": WORSE["degraded"], "aaa": WORSE["degraded"]}


def test_the_standby_keeps_what_runs_and_is_given_the_whole_when_the_first_cluster_is_gone() -> None:
    estate = estate_of([tenant("aaa", quota=50), tenant("bbb", quota=20, clusters=["batam"])], batam={"a": 1, "b": 1})

    now, promoted = verdict_of(estate, "bbb"), verdict_of(estate, "bbb", Loss("cikarang"))

    assert (now.state, now.cluster) == ("fits", "batam")
    assert (promoted.state, promoted.short, promoted.machines) == ("degraded", {"cpu": 16_000}, 1)
    carried = verdict_of(estate, "aaa", Loss("cikarang"))
    assert (carried.cluster, carried.state) == ("batam", "degraded")


def test_what_a_standby_runs_takes_room_before_it_is_promoted() -> None:
    estate = estate_of(
        [tenant("aaa", "strategis", cpu="13", replicas=2), tenant("bbb", clusters=["batam"])], batam={"a": 1}
    )

    assert verdict_of(estate, "bbb").short == {"cpu": 3_000}


def test_taking_a_data_centre_away_in_the_plan_names_who_no_longer_fits_and_the_named_machines_help() -> None:
    tenants = [tenant("aaa", "strategis", quota=40), tenant("bbb", "tinggi", clusters=["batam"], quota=40)]
    tenants += [tenant("ccc", "rendah", clusters=["batam", "cikarang"], quota=20)]
    whole = estate_of(tenants, cikarang={"a": 1, "b": 1}, batam={"a": 1, "b": 1, "c": 1})
    ending = whole.clusters["batam"].model_copy(update={"status": "decommissioning"})
    plan = replace(whole, clusters={**whole.clusters, "batam": ending})

    assert set(states(whole, Loss()).values()) == {WORSE["fits"]}
    assert states(plan, Loss()) == states(whole, Loss("batam"))
    aaa, bbb, ccc = fit(plan, Loss())
    assert (aaa.state, ccc.state, bbb.state) == ("fits", "degraded", "not")
    assert bbb.cluster == ""
    assert "bbb has no other cluster" in words(bbb)

    racks = {"a": 1, "b": 1, "c": ccc.machines}
    more = estate_of([*tenants[:1], tenants[1].model_copy(update={"clusters": ["batam", "cikarang"]}), tenants[2]],
                     cikarang={**racks, "c": 2})  # fmt: skip
    assert set(states(more, Loss("batam")).values()) == {WORSE["fits"]}


def test_a_container_that_is_larger_than_a_machine_fits_nowhere_however_many_there_are() -> None:
    estate = estate_of([tenant("aaa", cpu="28", quota=60)], cikarang={"a": 500})

    verdict = verdict_of(estate, "aaa")

    assert (verdict.state, verdict.machines) == ("not", 0)
    assert "larger than a machine" in words(verdict)


def test_who_declares_more_than_was_agreed_is_told_machines_and_not_that_a_container_is_too_large() -> None:
    estate = estate_of([tenant("aaa", quota=1, cpu="10", replicas=4)], cikarang={"a": 1})

    verdict = verdict_of(estate, "aaa")

    assert (verdict.state, verdict.short, verdict.machines) == ("not", {"cpu": 13_000}, 1)


def test_a_rack_that_is_gone_takes_its_machines_along_and_no_other_data_centre_s() -> None:
    estate = estate_of([tenant("aaa", quota=50)], cikarang={"a": 1, "b": 1})

    found = {str(loss): verdict_of(estate, "aaa", loss).short for loss in losses(estate) if loss.rack}

    short = {"cpu": 23_000}
    assert found == {
        "batam/a": {}, "batam/b": {}, "batam/c": {}, "cikarang/a": short, "cikarang/b": short, "cikarang/c": {}
    }  # fmt: skip


def test_machines_of_other_classes_are_no_room_for_tenants() -> None:
    estate = estate_of([tenant("aaa", quota=1)], cikarang=dict.fromkeys(RACKS, 0))

    assert sum(sum(p.racks.values()) for p in estate.clusters["cikarang"].pools) > 0
    assert verdict_of(estate, "aaa").state == "not"


@pytest.mark.parametrize(
    ("quantity", "thousandths"), [("1m", 1), ("500m", 500), ("2", 2000), ("0", 0), ("1500m", 1500), ("64", 64_000)]
)
def test_cores_are_counted_in_thousandths(quantity: str, thousandths: int) -> None:
    assert cpu_of(quantity) == thousandths


@pytest.mark.parametrize(
    ("quantity", "mib"),
    [("4Gi", 4096), ("32Mi", 32), ("1Ti", 2**20), ("1", 1), ("1024Ki", 1), ("1025Ki", 2), (str(2**30), 1024), ("0", 0),
     ("9" * 30 + "Ti", int("9" * 30) * 2**20), (str(2**70 + 1), 2**50 + 1)],
)  # fmt: skip
def test_memory_is_counted_in_mib_and_never_rounded_down(quantity: str, mib: int) -> None:
    assert memory_of(quantity) == mib


@pytest.mark.parametrize("quantity", ["4GB", "500m", "", "Gi", "1.5Gi", "-1", "4Gi "])
def test_what_is_no_amount_of_memory_is_said(quantity: str) -> None:
    with pytest.raises(ValueError, match="is no amount of memory"):
        memory_of(quantity)


def test_a_verdict_as_json_says_what_is_gone_in_words() -> None:
    verdict = verdict_of(ESTATE, "hukum", Loss("cikarang", "a"))

    assert verdict.as_json()["loss"] == "cikarang/a"
    assert fitting.machine_of(ESTATE).cpu == 27_000
