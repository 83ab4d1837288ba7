"""
The whole country as data, SYNTHETIC: a mall for every regency and city, and 300 tenants.

    python -m tests.country FOLDER      # writes inventories that `balai validate --root FOLDER` reads

Malls and tenants that are really declared stay as they are; the others are made of the regions' names and of planning
defaults, say so in their titles, and stand for no real mall, agency or agreement.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

from balai.models import LedgerEntry, Region
from balai.onboarding import government_of, name_of
from balai.pages import render
from balai.reading import table
from balai.sites import INVENTORIES

TENANTS = 300
MARK = "SINTETIS"
SIZES = ("small", "medium", "large")
OFFICES = ("dukcapil", "imigrasi", "djp", "bkn", "bphn", "kemenpanrb")


def write(folder: Path) -> None:
    """Write the country into a folder that is not there yet."""
    shutil.copytree(INVENTORIES, folder)
    regions = table(Region, folder / "regions.csv")
    taken = {
        region
        for path in (folder / "sites").glob("*.yml")
        for region in re.findall(r'^- "(\S+)"$', path.read_text(), re.M)
    }
    ledger = [entry.site for entry in table(LedgerEntry, folder / "addresses.csv")]
    agencies = (folder / "agencies.yml").read_text().rstrip() + "\n"
    for n, region in enumerate(regions):
        owner, title = government_of(region)
        if f"name: {owner}\n" not in agencies:
            agencies += f'- name: {owner}\n  title: {title}\n  kind: region\n  region: "{region.code}"\n'
        if region.code not in taken and (name := name_of(region)) not in ledger:
            ledger.append(name)
            (folder / "sites" / f"{name}.yml").write_text(_site(n, region, name, owner))
    rows = "".join(f"{name},{index}\n" for index, name in enumerate(ledger))
    (folder / "addresses.csv").write_text(f"site,index\n{rows}")
    (folder / "agencies.yml").write_text(agencies)
    model = (folder / "tenants/pemda-banyuwangi.yml").read_text()
    declared = len(list((folder / "tenants").glob("*.yml")))
    for region in [r for r in regions if r.code != "35.10"][: TENANTS - declared]:
        name = "pemda-" + government_of(region)[0].partition("-")[2] + ("-kota" if region.type == "kota" else "")
        text = model.replace("pemda-banyuwangi", name[:40]).replace("35.10", region.code)
        text = re.sub(r"^title: .*$", f"title: {MARK} {region.name}", text, flags=re.M)
        text = re.sub(r"^owner: .*$", f"owner: {government_of(region)[0]}", text, flags=re.M)
        (folder / "tenants" / f"{name[:40]}.yml").write_text(text)


def _site(n: int, region: Region, name: str, owner: str) -> str:
    offices = OFFICES[: 2 + n % 5]
    counters = [{"counter": k, "office": office, "on": []} for k, office in enumerate(offices, start=1)]
    shared = [
        {"counter": 20, "office": office, "on": [day]} for office, day in zip(offices, ("mon", "wed#1"), strict=False)
    ]
    return render(
        "site/site.yml.j2",
        escape=False,
        name=name,
        title=f"{MARK} MPP {region.name}",
        region=region.code,
        owner=owner,
        building="b1",
        size=SIZES[n % 3],
        release="2026.47",
        status="active" if n % 4 else "cordoned",
        hours={"mon-thu": "07:30-15:30", "fri": "07:30-10:30"} if n % 3 else "unknown",
        uplinks=[{"name": "fibre", "kind": "fibre", "mbps": 50}, {"name": "satelit", "kind": "satellite", "mbps": 4}],
        offices=offices,
        counters=[*counters, *shared],
    )


if __name__ == "__main__":
    write(Path(sys.argv[1]))
