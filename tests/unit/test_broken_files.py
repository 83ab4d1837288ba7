"""Broken files of the estate: all problems at once, each with file, line, key, what was given, and the fix."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

SITE, TENANT = "sites/mpp-banyuwangi.yml", "tenants/pajak.yml"


@dataclass(frozen=True)
class Broken:
    """A file with edits, and what must be said: key and a part of the sentence, on the edited line."""

    name: str
    file: str
    edits: dict[str, str]
    said: dict[str, str]


CASES = [
    Broken("size unknown", SITE, {"size: medium": "size: huge"}, {"size": "should be 'small', 'medium' or 'large'"}),
    Broken(
        "misspelled key",
        SITE,
        {"building: b1": "bulding: b1"},
        {"bulding": "Did you mean 'building'", "building": "required"},
    ),
    Broken("region not a list", SITE, {'regions:\n- "35.10"': "regions: 35.10"}, {"regions": "list"}),
    Broken("region unknown", SITE, {'"35.10"': '"35.99"'}, {"regions[0]": "no such region"}),
    Broken("region malformed", SITE, {'"35.10"': '"3510"'}, {"regions[0]": "should match"}),
    Broken(
        "name is not the file's",
        SITE,
        {"name: mpp-banyuwangi": "name: mpp-banyuwongi"},
        {"name": "should be the file's name"},
    ),
    Broken("name malformed", SITE, {"name: mpp-banyuwangi": "name: MPP_Banyuwangi"}, {"name": "should match"}),
    Broken(
        "owner unknown",
        SITE,
        {"owner: pemkab-banyuwangi": "owner: pemkab-banyuwang"},
        {"owner": "Did you mean 'pemkab-banyuwangi'"},
    ),
    Broken(
        "hours out of the day",
        SITE,
        {"hours: unknown": 'hours: {mon-thu: "07:30-25:30"}'},
        {"hours.mon-thu": "should match"},
    ),
    Broken(
        "hours for no day", SITE, {"hours: unknown": 'hours: {monday: "07:30-15:30"}'}, {"hours.monday": "should match"}
    ),
    Broken("uplink kind", SITE, {"kind: mobile": "kind: pigeon"}, {"uplinks[1].kind": "'fibre', 'mobile'"}),
    Broken("uplink speed a text", SITE, {"mbps: 20": 'mbps: "20"'}, {"uplinks[1].mbps": "integer"}),
    Broken("slot taken", SITE, {"slot: 1": "slot: 0"}, {"offices[1].slot": "another office has this slot"}),
    Broken("slot outside", SITE, {"slot: 1": "slot: 64"}, {"offices[1].slot": "less than 64"}),
    Broken(
        "assignment without office",
        SITE,
        {"office: imigrasi": "office: imigrasy"},
        {"assignments[1].office": "Did you mean 'imigrasi'"},
    ),
    Broken("weekday of no month", SITE, {"wed#3": "wed#6"}, {"assignments[1].on[1]": "should match"}),
    Broken(
        "frozen for ever",
        SITE,
        {"status: active": "status: frozen\nstatus_reason: tax season"},
        {"": "needs status_until"},
    ),
    Broken("cordoned without reason", SITE, {"status: active": "status: cordoned"}, {"": "needs a status_reason"}),
    Broken("key twice", SITE, {"building: b1": "building: b1\nbuilding: b2"}, {"building": "given twice"}),
    Broken("no YAML", SITE, {"size: medium": "size: [medium"}, {"": "not YAML"}),
    Broken("image by tag", TENANT, {"@sha256:": ":1.2 #"}, {"services[0].image": "should match"}),
    Broken("category and replicas", TENANT, {"replicas: 2": "replicas: 1"}, {"": "at least 2 replicas"}),
    Broken("review on no day", TENANT, {'"2027-06-30"': '"2027-06-31"'}, {"review": "should be a date"}),
    Broken(
        "cluster unknown",
        TENANT,
        {"clusters: [cikarang, batam]": "clusters: [cikarang, batan]"},
        {"clusters[1]": "Did you mean 'batam'"},
    ),
    Broken(
        "needs nobody",
        TENANT,
        {"tenant: identitas": "tenant: identitias"},
        {"reaches[0].tenant": "Did you mean 'identitas'"},
    ),
    Broken(
        "required field gone",
        TENANT,
        {"retention: 3650d": "retenton: 3650d"},
        {"retention": "required", "retenton": "Did you mean 'retention'"},
    ),
    Broken("quota without unit", TENANT, {"memory: 4Gi": "memory: 4GB"}, {"quota.memory": "should match"}),
    Broken(
        "too many devices",
        SITE,
        {"size: medium": "devices: {kiosk: 100000}\nsize: medium"},
        {"devices.kiosk": "between 0 and 40"},
    ),
    Broken("a tag that lies", SITE, {"building: b1": "building: !!int b1"}, {"": "not what its form says"}),
    Broken("holds itself", SITE, {"building: b1": "building: &b [*b]"}, {"": "not what its form says"}),
    Broken(
        "manifest from elsewhere",
        TENANT,
        {"status: active": "manifests: [../../../etc/passwd]\nstatus: active"},
        {"manifests[0]": "no such file below the inventories"},
    ),
    Broken(
        "a flow to a service that nobody has",
        "flows.yml",
        {"[hukum/web, identitas/web, pajak/web, portal-layanan/web]": "[hukum/web, identitas/wep]"},
        {"flows[9].services[1]": "Did you mean 'identitas/web'"},
    ),
    Broken(
        "a region's service in every mall",
        "flows.yml",
        {'    regions: ["35.10"]\n': ""},
        {"flows[12].services[0]": "a tenant of region 35.10 alone", "flows[12].services[1]": "of region 35.10 alone"},
    ),
    Broken(
        "a flow for a region that is none",
        "flows.yml",
        {'"35.10"': '"35.98"'},
        {
            "flows[12].regions[0]": "no such region",
            "flows[12].services[0]": "of region 35.10 alone",
            "flows[12].services[1]": "of region 35.10 alone",
        },
    ),
    Broken(
        "services outside a data centre",
        "flows.yml",
        {"to: [data-centre]": "to: [internet]"},
        {"": "`to` should be [data-centre]"},
    ),
    Broken(
        "wiring that cannot be",
        SITE,
        {
            "status: active": "switches:\n- name: sw-1\n  ports: 8\n  wiring:\n    1: server-1.srv\n    9: kiosk-1.kio\n"
            "    2: kiosk-7.kio\n    3: server-1.srv\nstatus: active"
        },
        {
            "switches[0].wiring.9": "the switch has 8 sockets",
            "switches[0].wiring.2": "Did you mean 'kiosk-",
            "switches[0].wiring.3": "it is in sw-1/1 already",
            "switches": "no cable goes to the router",
        },
    ),
    Broken(
        "two switches of one name",
        SITE,
        {
            "status: active": "switches:\n- {name: sw-1, ports: 8, wiring: {1: router}}\n"
            "- {name: sw-1, ports: 8, wiring: {2: guests}}\nstatus: active"
        },
        {"switches[1].name": "another switch has this name"},
    ),
    Broken(
        "a socket in another form",
        SITE,
        {
            "status: active": "switches:\n- {name: sw-1, ports: 8, wiring: {1: router}}\n"
            "- {name: sw-1, ports: 8, wiring: {2: guests, 03: guests}}\nstatus: active"
        },
        {"switches[1].wiring.03": "integer"},
    ),
    Broken(
        "a cable to nowhere",
        SITE,
        {"status: active": "switches: [{name: sw-1, ports: 8, wiring: {1: the router}}]\nstatus: active"},
        {"switches[0].wiring.1": "should match"},
    ),
    Broken(
        "a service of no kind",
        TENANT,
        {"kind: web": "kind: wep"},
        {"services[0].kind": "should be one of 'web', 'worker', 'job', 'api'"},
    ),
    Broken(
        "a page with a limit",
        TENANT,
        {"may_queue: false": "rate_limit: {}\n    may_queue: false"},
        {"services[0].rate_limit": "no such key"},
    ),
    Broken(
        "a store that is none",
        TENANT,
        {"stores: [data]": "stores: [dato]"},
        {"services[0].stores[0]": "Did you mean 'data'"},
    ),
    Broken(
        "a name twice",
        TENANT,
        {"  - name: data": "  - name: web"},
        {"data_stores[0].name": "web is the name of another", "services[0].stores[0]": "no such data store"},
    ),
    Broken(
        "copies beside the data",
        TENANT,
        {"to: batam": "to: cikarang"},
        {"data_stores[0].backup.to": "what takes the one takes the other"},
    ),
    Broken("copies nowhere", TENANT, {"to: batam": "to: batan"}, {"data_stores[0].backup.to": "Did you mean 'batam'"}),
    Broken("one instance", TENANT, {"instances: 2": "instances: 1"}, {"": "services data need at least 2 replicas"}),
    Broken(
        "a promise that copies cannot keep", TENANT, {"rpo: 1h": "rpo: 1m"}, {"recovery.rpo": "up to 5 minutes old"}
    ),
    Broken("a quota without room to grow", TENANT, {"pods: 20": "pods: 9"}, {"quota.pods": "1 pods more"}),
    Broken("storage in cores", TENANT, {"storage: 100Gi": "storage: 100m"}, {"quota.storage": "of cores alone"}),
    Broken("stores beyond the quota", TENANT, {"storage: 100Gi": "storage: 30Gi"}, {"quota.storage": "10240 MiB more"}),
    Broken(
        "a peak that nothing can serve",
        TENANT,
        {"factor: unknown": "factor: 4"},
        {"peaks[0].factor": "web cannot become so many times"},
    ),
    Broken(
        "scaling downwards", TENANT, {"scaling: {max: 6": "scaling: {max: 2"}, {"services[0]": "above the 2 replicas"}
    ),
    Broken(
        "a queue for what may not be queued for",
        TENANT,
        {"sign-in of taxpayers, when_dark: refuse": "sign-in of taxpayers, when_dark: store"},
        {"reaches[0].when_dark": "identitas/web may not be queued for"},
    ),
    Broken(
        "a mall that queues for it",
        "flows.yml",
        {"services: [portal-layanan/aduan]": "services: [portal-layanan/web]"},
        {"flows[10].services[0]": "it may not be queued for"},
    ),
    Broken(
        "a worker that is called",
        "flows.yml",
        {"portal-layanan/web]": "portal-layanan/penerus-aduan]"},
        {"flows[9].services[3]": "no such service of a tenant that answers"},
    ),
    Broken(
        "a job at no time",
        "tenants/hukum.yml",
        {"30 2 * * *": "30 25 * * *"},
        {"services[1].schedule": "'25' is no hour"},
    ),
    Broken(
        "a job in no zone",
        "tenants/hukum.yml",
        {"time_zone: Asia/Jakarta": "time_zone: Asia/Bangkok"},
        {"services[1].time_zone": "'Asia/Jakarta'"},
    ),
    Broken(
        "four things at once",
        TENANT,
        {
            "data_class: confidential": "data_class: secret-ish",
            "port: 8080": "port: 80",
            "rpo: 1h": "rpo: soon",
            "public: true": "public: ja",
        },
        {
            "data_class": "'public'",
            "services[0].port": "greater than or equal to 1024",
            "recovery.rpo": "should match",
            "services[0].public": "boolean",
        },
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_problem_of_a_broken_file_is_said_with_file_line_key_and_fix(
    case: Broken, root, balai, tmp_path: Path
) -> None:
    inventories = tmp_path / "inventories"
    shutil.copytree(root / "inventories", inventories)
    path = inventories / case.file
    text = path.read_text()
    for old, new in case.edits.items():
        assert old in text
        text = text.replace(old, new, 1)
    path.write_text(text)

    done = balai("validate", "--root", str(inventories))

    said = done.stderr.splitlines()
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert said[0] == f"{len(case.said)} problem(s):"
    for key, words in case.said.items():
        (line,) = [line for line in said[1:] if (words in line and f": {key}: " in line) or (not key and words in line)]
        place = re.search(rf"{path.name}:(\d+): ", line)
        assert place, line
        assert line.rstrip().endswith((".", "?")), "the fix is a sentence"
        if key and words != "required":
            assert key.rsplit(".", 1)[-1].split("[")[0] in "".join(
                text.splitlines()[max(0, int(place[1]) - 4) : int(place[1])]
            )


def test_problems_of_several_files_are_said_together(root, balai, tmp_path: Path) -> None:
    inventories = tmp_path / "inventories"
    shutil.copytree(root / "inventories", inventories)
    for name in (SITE, TENANT):
        path = inventories / name
        path.write_text(path.read_text().replace("title: ", "titel: ", 1))

    done = balai("validate", "--root", str(inventories))

    assert done.returncode == 2
    assert {Path(line.split(":")[0].strip()).name for line in done.stderr.splitlines()[1:]} == {
        "mpp-banyuwangi.yml",
        "pajak.yml",
    }


def test_a_missing_table_is_said_and_nothing_else_fails(root, balai, tmp_path: Path) -> None:
    inventories = tmp_path / "inventories"
    shutil.copytree(root / "inventories", inventories)
    (inventories / "addresses.csv").unlink()

    done = balai("validate", "--root", str(inventories))

    assert done.returncode == 2
    assert "addresses.csv: there is no such file" in done.stderr


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("mpp-banyuwangi,9\n", "stands on line 2 already"),
        ("mpp-baru,0\n", "stands on line 2 already"),
        ("mpp-baru,1024\n", "less than or equal to 1023"),
        ("mpp-baru,satu\n", "integer"),
    ],
)
def test_a_line_of_the_ledger_that_cannot_be_is_refused(row: str, words: str, root, balai, tmp_path: Path) -> None:
    inventories = tmp_path / "inventories"
    shutil.copytree(root / "inventories", inventories)
    with (inventories / "addresses.csv").open("a") as ledger:
        ledger.write(row)

    done = balai("validate", "--root", str(inventories))

    assert done.returncode == 2
    assert "addresses.csv:55:" in done.stderr
    assert words in done.stderr
