"""
A new mall or tenant from a few answers: the lines that a person would have written, checked before any of them is.

The change is made in a copy of the inventories and judged there as `balai validate` judges; only then its files are put
in their places, the ledger first: whatever a killed run left is taken up by the next one with the same answers.
"""

from __future__ import annotations

import datetime
import difflib
import os
import re
import shutil
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from balai import addressing, yamlfile
from balai.errors import DataError, Problem, shown
from balai.estate import Estate, load_estate
from balai.models import Agency, LedgerEntry, Model, Region, load
from balai.models.base import Duration, Name, OrUnknown, Quantity, RegionCode, Text
from balai.models.place import Agencies
from balai.models.site import Assignment, Days, Opening, Uplink
from balai.models.tenant import MIN_REPLICAS, Category, Image, Quota
from balai.pages import render
from balai.reading import problem, table, unknown, wrong
from balai.sites import SiteView, load_site
from balai.yamlfile import Document

PREFIX = "mpp-"


class SiteAnswers(Model):
    """
    What is asked of whoever opens a mall; everything but the region has an answer of its own.

    Attributes:
        region: Code of the Home Ministry, or the region's name.
        name: Permanent name; from the region by default.
        owner: Agency; the region's own government by default, which is added to the list when it is missing.
        counters: Whose each counter is; each office gets one by default, in the order of offices.
    """

    region: Text
    name: Name | None = None
    owner: Name | None = None
    building: Name = "b1"
    size: Literal["small", "medium", "large"] = "small"
    hours: OrUnknown[dict[Days, Opening]] = "unknown"
    uplinks: OrUnknown[list[Uplink]] = "unknown"
    offices: list[Name] = Field(default=[], max_length=addressing.SLOTS)
    counters: list[Assignment] = []
    status: Literal["active", "cordoned"] = "cordoned"


class FirstQuota(Quota):
    """What is asked for at first; a tenant begins without data stores, and asks for storage with the first of them."""

    storage: Quantity = "0"


class TenantAnswers(Model):
    """
    What is asked of an agency that wants a space on the clusters; it begins as a request.

    Attributes:
        region: The region that alone it serves; none for a national service.
        quota: A planning default; it is the first request, and somebody has to decide it.
    """

    name: Name
    title: Text
    title_en: Text
    owner: Name
    region: RegionCode | None = None
    legal_ground: Text
    category: Category = "tinggi"
    data_class: Literal["public", "internal", "restricted", "confidential"] = "internal"
    retention: Duration = "3650d"
    clusters: list[Name] = Field(default=["cikarang"], min_length=1)
    quota: FirstQuota = FirstQuota(cpu="4", memory="4Gi", pods=20)
    image: Image
    port: int = Field(default=8080, ge=1024, le=65535)
    health: Annotated[str, StringConstraints(pattern=r"^/[a-z0-9/_-]*$")] = "/healthz"
    public: bool = False


@dataclass(frozen=True, kw_only=True)
class Change:
    """
    What something new writes.

    Attributes:
        files: Texts by path below the inventories, the ledger first.
        read: What tables held when the change was made of them.
    """

    name: str
    files: dict[str, str]
    read: dict[str, str] = field(default_factory=dict)


def region_of(word: str, regions: list[Region]) -> Region | list[Region]:
    """Return the region of a code or name; the nearest ones when it is none, or more than one."""
    if re.fullmatch(r"[0-9]{2}\.[0-9]{2}", word):
        return next((r for r in regions if r.code == word), [])
    names = {r.name.lower(): r for r in regions}
    wanted = " ".join(word.lower().split())
    for spelled in (wanted, f"kabupaten {wanted}", f"kota {wanted}"):
        others = [name for name in names if name in (f"kabupaten {wanted}", f"kota {wanted}")]
        if spelled in names and (spelled == wanted or len(others) == 1):
            return names[spelled]
    near = difflib.get_close_matches(wanted, [n.partition(" ")[2] for n in names], n=5, cutoff=0.6)
    return [r for name, r in names.items() if name.partition(" ")[2] in (wanted, *near)]


def name_of(region: Region) -> str:
    """Return the name that a region's first mall has: a city says so, a regency does not."""
    return PREFIX + _slug(region.name.removeprefix("Kabupaten "))


def _slug(words: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")


def government_of(region: Region) -> tuple[str, str]:
    """Return name and title of a region's own government, as the list of agencies has it."""
    short = _slug(region.name.partition(" ")[2])
    kind = "pemkot" if region.type == "kota" else "pemkab"
    return f"{kind}-{short}"[:40].rstrip("-"), f"Pemerintah {region.name}"


def site_change(root: Path, document: Document) -> Change:
    """
    Return what the answers of a document write.

    Raises:
        DataError: An answer is wrong; every problem at once, by the lines of the document.
    """
    answers = load(SiteAnswers, document)
    found = region_of(answers.region, table(Region, root / "regions.csv"))
    if isinstance(found, list):
        known = [f"{region.code} {region.name}" for region in found]
        raise DataError([unknown(document, ("region",), answers.region, "region", known)])
    name = answers.name or name_of(found)
    agencies = load(Agencies, yamlfile.read(root / "agencies.yml")).agencies
    government, title = government_of(found)
    government = next((a.name for a in agencies if a.kind == "region" and a.title == title), government)
    owner = answers.owner or government
    path = root / "sites" / f"{name}.yml"
    if path.exists():
        fix = f"Change that file; for another mall of the region answer with a name, such as {name}-2."
        raise DataError([wrong(document, ("name",), name, f"{shown(path)} is there already", fix)])
    ledger = {entry.site: entry.index for entry in table(LedgerEntry, root / "addresses.csv")}
    files, read = {}, {}
    if name not in ledger:
        text = read["addresses.csv"] = (root / "addresses.csv").read_text()
        files["addresses.csv"] = f"{text.rstrip()}\n{name},{max(ledger.values(), default=-1) + 1}\n"
    if owner == government and owner not in {agency.name for agency in agencies}:
        text = read["agencies.yml"] = (root / "agencies.yml").read_text()
        own = f'- name: {owner}\n  title: {title}\n  kind: region\n  region: "{found.code}"\n'
        files["agencies.yml"] = f"{text.rstrip()}\n{own}"
    given = answers.counters or [Assignment(counter=n, office=o) for n, o in enumerate(answers.offices, start=1)]
    files[f"sites/{name}.yml"] = render(
        "site/site.yml.j2",
        escape=False,  # every value is of a model with a strict pattern, or of the project's own tables
        **answers.model_dump(exclude={"region", "name", "owner", "counters"}),
        region=found.code,
        name=name,
        title=f"MPP {found.name}",
        owner=owner,
        counters=[assignment.model_dump() for assignment in given],
        release=_release(root),
    )
    return Change(name=name, files=files, read=read)


# By category, planning defaults: how much may be lost, and how long it may be away.
RECOVERY: dict[Category, tuple[str, str]] = {
    "rendah": ("24h", "3d"),
    "tinggi": ("4h", "24h"),
    "strategis": ("1h", "4h"),
}
REVIEW_DAYS = 365


def tenant_change(root: Path, document: Document, today: datetime.date) -> Change:
    """
    Return what the answers of a document write: a tenant that is requested, and not made before somebody says active.

    Raises:
        DataError: An answer is wrong; every problem at once, by the lines of the document.
    """
    problems = tenant_answer_problems(root, document)
    try:
        answers = load(TenantAnswers, document)
    except DataError as error:
        raise DataError([*error.problems, *problems]) from None
    if problems:
        raise DataError(problems)
    text = render(
        "tenant/tenant.yml.j2",
        escape=False,  # every value is of a model with a strict pattern, or is written as JSON
        **answers.model_dump(),
        recovery=RECOVERY[answers.category],
        replicas=MIN_REPLICAS[answers.category],
        today=today.isoformat(),
        review=(today + datetime.timedelta(days=REVIEW_DAYS)).isoformat(),
    )
    return Change(name=answers.name, files={f"tenants/{answers.name}.yml": text})


def tenant_answer_problems(root: Path, document: Document) -> list[Problem]:
    """Return what is wrong with answers about a tenant that only the estate knows: names that it has, or has not."""
    given = document.data if isinstance(document.data, dict) else {}
    found = []
    for key, folder in (("owner", "agency"), ("region", "region")):
        known = (
            [a.name for a in load(Agencies, yamlfile.read(root / "agencies.yml")).agencies]
            if folder == "agency"
            else [region.code for region in table(Region, root / "regions.csv")]
        )
        if isinstance(value := given.get(key), str) and value not in known:
            found.append(unknown(document, (key,), value, folder, known))
    clusters = [path.stem for path in sorted((root / "clusters").glob("*.yml"))]
    named = given.get("clusters")
    for n, value in enumerate(named if isinstance(named, list) else []):
        if isinstance(value, str) and value not in clusters:
            found.append(unknown(document, ("clusters", n), value, "cluster", clusters))
    name = given.get("name")
    for path in sorted((root / "tenants").glob("*.yml")) if isinstance(name, str) else ():
        if path.stem == name:
            fix = "Change that file, or choose another name: a name is never given twice."
            found.append(wrong(document, ("name",), name, f"{shown(path)} is there already", fix))
        elif path.stem.casefold() == str(name).casefold():
            bound = f"it differs from {path.stem} only in case, and is the same on many machines"
            found.append(wrong(document, ("name",), name, bound, "Choose another name, in small letters."))
    return found


def agency_of(word: str, agencies: list[Agency]) -> Agency | list[Agency]:
    """Return the agency of a name or title; the nearest ones when it is none."""
    wanted = " ".join(word.lower().split())
    for agency in agencies:
        if wanted in (agency.name, agency.title.lower()):
            return agency
    names = {**{a.name: a for a in agencies}, **{a.title.lower(): a for a in agencies}}
    near = [names[name] for name in difflib.get_close_matches(wanted, list(names), n=5, cutoff=0.5)]
    parts = [a for a in agencies if wanted and wanted in a.title.lower()]
    return list({a.name: a for a in [*parts, *near]}.values())[:5]


def tenant_name_of(title: str) -> str:
    """Return the name that a tenant of a title has by itself."""
    return _slug(title)[:40].rstrip("-")


def _release(root: Path) -> str:
    """Return the newest release that a mall runs: a new one begins with it."""
    texts = (path.read_text() for path in (root / "sites").glob("*.yml"))
    found = [match[1] for text in texts if (match := re.search(r'^release: "([0-9]{4}\.[0-9]{2})"$', text, re.M))]
    return max(found, default="2026.47")


def checked(root: Path, change: Change) -> SiteView | None:
    """
    Return the mall as it would be (None for a tenant), from a copy of the inventories.

    Raises:
        DataError: The estate would not be right; problems name the files that would be written.
    """
    return _judged(root, change)[1]


def checked_estate(root: Path, change: Change) -> Estate:
    """
    Return the estate as it would be, from a copy of the inventories.

    Raises:
        DataError: It would not be right; problems name the files that would be written.
    """
    return _judged(root, change)[0]


def _judged(root: Path, change: Change) -> tuple[Estate, SiteView | None]:
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "inventories"
        shutil.copytree(root, copy)
        for path, text in change.files.items():
            (copy / path).write_text(text)
        try:
            estate = load_estate(copy)
            site = copy / "sites" / f"{change.name}.yml"
            return estate, load_site(site) if f"sites/{site.name}" in change.files else None
        except DataError as error:
            there, here = shown(copy), shown(root)
            raise DataError([replace(p, file=p.file.replace(there, here)) for p in error.problems]) from None


def write(root: Path, change: Change) -> None:
    """
    Put the files in their places, each as a whole.

    Raises:
        DataError: A table has grown since it was read: its new line would be lost.
    """
    for path, text in change.read.items():
        if (root / path).read_text() != text:
            bound = "it was changed while the answers were given, and that change would be lost"
            raise DataError([problem(root / path, bound, "Run it again with the same answers.")])
    for path, text in change.files.items():
        partial = root / f".{change.name}.partial"  # beside the folders: they hold files of the estate alone
        with partial.open("w") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(root / path)
