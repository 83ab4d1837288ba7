"""What an estate may not say, each with what is told of it; all of a file's problems at once, each with what to do."""

from __future__ import annotations

import datetime
import shutil
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pytest

from balai.errors import DataError, Problem
from balai.estate import load_estate
from balai.fleet import approvals
from balai.flows import host_of
from balai.lifecycle import standing
from balai.sites import INVENTORIES

TAX, LAW, ID = "tenants/pajak.yml", "tenants/hukum.yml", "tenants/identitas.yml"
CITIZENS = "tenants/kependudukan.yml"
REACH = "reaches: [{{tenant: {}, service: web, reason: because, when_dark: local}}]"
SECOND = (
    "    public: true\n    may_queue: false\n  - name: web\n    title_en: again\n    kind: web\n    image: registry.balai.internal/lab/page@sha256:"
    + "0" * 64
)
SECOND += "\n    port: 8081\n    replicas: 2\n    health: /healthz\n    resources: {cpu: 20m, memory: 32Mi}\n    public: true\n"


@dataclass(frozen=True)
class Bad:
    """Edits of files (old, new), and what is told: file, key, a part of the sentence, a part of the fix."""

    name: str
    edits: tuple[tuple[str, str, str], ...]
    told: tuple[tuple[str, str, str, str], ...]


CASES = [
    Bad(
        "two services that claim a host name",
        ((TAX, "    public: true\n", SECOND),),
        ((TAX, "services[1].name", "web is the name of another service or store of this tenant", "Choose another"),),
    ),
    Bad(
        "a quota beyond the clusters",
        ((TAX, 'cpu: "4", memory: 4Gi, pods: 20', 'cpu: "400", memory: 4000Gi, pods: 2000'),),
        (
            (TAX, "quota.cpu", "the whole of cluster cikarang has", "clusters/cikarang.yml"),
            (TAX, "quota.cpu", "the whole of cluster batam has", "clusters/batam.yml"),
            (TAX, "quota.memory", "the whole of cluster cikarang has", "Ask for less"),
            (TAX, "quota.memory", "the whole of cluster batam has", "Ask for less"),
            (TAX, "quota.pods", "the whole of cluster cikarang has", "Ask for less"),
            (TAX, "quota.pods", "the whole of cluster batam has", "Ask for less"),
        ),
    ),
    Bad(
        "a region that changed its code",
        (("regions.csv", "35.10,", "35.80,"),),
        (
            ("sites/mpp-banyuwangi.yml", "regions[0]", "no such region", "Kabupaten Banyuwangi has the code '35.80'"),
            ("agencies.yml", "agencies[0].region", "no such region", "Kabupaten Banyuwangi has the code '35.80'"),
            ("agencies.yml", "agencies[11].region", "no such region", "Kabupaten Banyuwangi has the code '35.80'"),
            ("tenants/pemda-banyuwangi.yml", "region", "no such region", "has the code '35.80'"),
            ("tenants/pajak-banyuwangi.yml", "region", "no such region", "has the code '35.80'"),
            ("flows.yml", "flows[12].regions[0]", "no such region", ""),
        ),
    ),
    Bad(
        "a data centre outside Indonesia",
        (("data_centres/batam.yml", "Asia/Jakarta", "Asia/Singapore"),),
        (("data_centres/batam.yml", "timezone", "'Asia/Jakarta', 'Asia/Makassar' or 'Asia/Jayapura'", "Choose one"),),
    ),
    Bad(
        "a cluster in a data centre that is none of the country's",
        (("clusters/batam.yml", "data_centre: batam", "data_centre: singapura"),),
        (("clusters/batam.yml", "data_centre", "no such data centre", "choose one of: batam, cikarang"),),
    ),
    Bad(
        "an agency that is not in the list",
        ((TAX, "owner: djp", "owner: djpb"), ("sites/mpp-banyuwangi.yml", "agency: imigrasi", "agency: imigrasih")),
        (
            (TAX, "owner", "no such agency", "Did you mean 'djp'"),
            ("sites/mpp-banyuwangi.yml", "offices[1].agency", "no such agency", "Did you mean 'imigrasi'"),
            ("sites/mpp-banyuwangi.yml", "assignments[1].office", "no such office", "imigrasih"),
        ),
    ),
    Bad(
        "an agency twice in the list",
        (("agencies.yml", "- name: bphn", "- name: bkn"),),
        (("agencies.yml", "agencies[2].name", "another agency of the list has it", "Keep one"),),
    ),
    Bad(
        "a circle of two",
        ((CITIZENS, "reaches: []", REACH.format("identitas")),),
        ((ID, "reaches[0].tenant", "identitas → kependudukan → identitas", "Take one of these out"),),
    ),
    Bad(
        "a circle of three, and one beside it",
        (
            (CITIZENS, "reaches: []", REACH.format("hukum")),
            (LAW, "reaches: []", REACH.format("identitas")),
            (TAX, "tenant: identitas", "tenant: pajak"),
        ),
        (
            (LAW, "reaches[0].tenant", "hukum → identitas → kependudukan → hukum", "a tenant of its own"),
            (TAX, "reaches[0].tenant", "pajak → pajak", "Take one of these out"),
        ),
    ),
    Bad(
        "a review on no day, and one in another form",
        ((TAX, '"2027-06-30"', '"2027-02-30"'), (LAW, "review: ", "review: 20270630 # ")),
        ((TAX, "review", "should be a date", ""), (LAW, "review", "valid string", "quote it")),
    ),
    Bad(
        "a name in capitals",
        ((TAX, "name: pajak\n", "name: Pajak\n"),),
        ((TAX, "name", "should match", "Write it in that form"),),
    ),
]  # fmt: skip


def problems(inventories: Path) -> list[Problem]:
    with pytest.raises(DataError) as refused:
        load_estate(inventories)
    return refused.value.problems


@pytest.fixture
def inventories(tmp_path: Path) -> Path:
    return Path(shutil.copytree(INVENTORIES, tmp_path / "inventories"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_cannot_be_is_told_all_of_it_with_file_line_key_and_fix(case: Bad, inventories: Path) -> None:
    for file, old, new in case.edits:
        path = inventories / file
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new, 1))

    found = problems(inventories)

    assert len(found) == len(case.told), [str(problem) for problem in found]
    for file, key, words, fix in case.told:
        assert any(
            p.file.endswith(file) and p.line and p.key == key and words in p.bound and fix in p.fix for p in found
        ), (key, [str(p) for p in found])
    assert all(p.fix.endswith((".", "?")) for p in found)


def test_names_that_differ_only_in_case_are_refused_although_this_machine_tells_them_apart(inventories: Path) -> None:
    shutil.copy(inventories / TAX, inventories / "tenants/Pajak.yml")
    shutil.copy(inventories / "sites/mpp-banyuwangi.yml", inventories / "sites/MPP-Banyuwangi.yml")

    found = problems(inventories)

    assert sum("only in case" in problem.bound for problem in found) == 2


def test_whoever_removes_a_tenant_s_file_is_told_how_a_tenant_ends(inventories: Path) -> None:
    (inventories / "tenants/portal-asn.yml").unlink()

    (found,) = problems(inventories)

    assert (found.file.rpartition("/")[2], found.given) == ("flows.yml", "'portal-asn'")
    assert "restore it and set its status to decommissioning" in found.fix


def test_a_tenant_does_not_take_a_mall_s_name(inventories: Path) -> None:
    text = (inventories / TAX).read_text().replace("balai:tenant:pajak", "balai:tenant:mpp-banyuwangi")
    (inventories / "tenants/mpp-banyuwangi.yml").write_text(text.replace("name: pajak", "name: mpp-banyuwangi"))

    (found,) = problems(inventories)

    assert (found.key, "the same host name" in found.bound) == ("name", True)


def test_no_two_services_of_two_tenants_have_the_same_host_name() -> None:
    names = ["web", "api", "a", "a-web", "web-a"]

    hosts = [host_of(f"{tenant}/{service}") for tenant, service in product(names, names)]

    assert len(set(hosts)) == len(hosts)


def test_a_review_in_the_past_is_told_and_at_last_holds_still() -> None:
    tenant = load_estate().tenants["pajak"].model_copy(update={"review": "2026-01-31"})

    late, later = (standing(tenant, datetime.date(2026, month, 25)) for month in (2, 6))

    assert (late.may_change, later.may_change) == (True, False)
    assert "2026-01-31" in late.words
    assert "2026-01-31" in later.words


@pytest.mark.parametrize(("requested", "expires"), [("2026-11-20", "2026-11-19"), ("2026-11-20", "2026-12-05")])
def test_an_approval_that_ends_before_it_begins_or_lasts_too_long_is_refused(
    requested: str, expires: str, tmp_path: Path
) -> None:
    folder = tmp_path / "end"
    folder.mkdir()
    text = f'id: end\nstack: tenant.cikarang.pajak\nallows: [deletion]\nowner: djp\nreason: because\nrequested: "{requested}"\nexpires: "{expires}"\n'
    (folder / "approval.yml").write_text(text)

    with pytest.raises(DataError, match="should be at most 14 days after `requested`"):
        approvals.load_approvals(tmp_path)


def test_an_approval_that_has_ended_allows_nothing(tmp_path: Path) -> None:
    given = approvals.Approval(
        id="end", stack="tenant.cikarang.pajak", allows=["deletion"], owner="djp", reason="because", requested="2026-11-01", expires="2026-11-10"
    )  # fmt: skip
    last = datetime.datetime(2026, 11, 10, 16, 59, tzinfo=datetime.UTC)

    allowed = [
        approvals.approved(given.stack, last + datetime.timedelta(minutes=minutes), (given,)) for minutes in (0, 1)
    ]

    assert allowed == [{"deletion"}, frozenset()]
