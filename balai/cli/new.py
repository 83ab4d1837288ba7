"""`balai new`: a few answers become the lines that a person would have written."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import yaml

from balai import onboarding, scaffold, yamlfile
from balai.errors import DataError, shown
from balai.estate import Estate
from balai.fleet import fit as fitting
from balai.flows import host_of
from balai.models import Agency, Model, Region
from balai.models.base import load
from balai.models.place import Agencies
from balai.onboarding import SiteAnswers, TenantAnswers
from balai.pages import TEMPLATES
from balai.reading import table
from balai.rules.lens import SUBJECTS
from balai.sites import INVENTORIES, SiteView
from balai.text import say
from balai.yamlfile import Document

PROJECT = TEMPLATES.parent


@click.group()
def new() -> None:
    """Begin something new, from answers, with what follows from them shown before it is written."""


@new.command()
@click.option(
    "--answers", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Answers as YAML; nothing is asked."
)
@click.option("--dry-run", is_flag=True, help="Show what would be written, and write nothing.")
def site(answers: Path | None, dry_run: bool) -> None:
    """
    Open a mall: its file, its line in the ledger of addresses, and its government when it is not in the list yet.

    Keys of --answers: region, which alone is required, name, owner, building, size, hours, uplinks, offices, counters,
    status.
    """
    root = INVENTORIES
    document = yamlfile.read(answers) if answers else _asked(root)
    change = onboarding.site_change(root, document)
    view = onboarding.checked(root, change)
    if view:
        _follows(change, view)
    if _written(root, change, dry_run=dry_run, ask=not answers):
        click.echo(say("new_next", site=change.name))


@new.command()
@click.option(
    "--answers", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Answers as YAML; nothing is asked."
)
@click.option("--dry-run", is_flag=True, help="Show what would be written, and write nothing.")
def tenant(answers: Path | None, dry_run: bool) -> None:
    """
    Request a tenant: its file, with what the category asks for; it is made when its status becomes active.

    Keys of --answers: name, title, title_en, owner, legal_ground and image are required; region, category, data_class,
    retention, clusters, quota, port, health and public have answers of their own.
    """
    root = INVENTORIES
    document = yamlfile.read(answers) if answers else _asked_of_tenant(root)
    change = onboarding.tenant_change(root, document, datetime.datetime.now(datetime.UTC).date())
    _follows_of_tenant(onboarding.checked_estate(root, change), change.name)
    if _written(root, change, dry_run=dry_run, ask=not answers):
        click.echo(say("new_tenant_next", tenant=change.name))


@new.command()
@click.argument("name")
@click.option("--purpose", help="What it does, in one short sentence without a full stop.")
@click.option("--dry-run", is_flag=True, help="Show what would be written, and write nothing.")
def role(name: str, purpose: str | None, dry_run: bool) -> None:
    """Begin an Ansible role that holds to every convention: it installs packages and writes one configuration file."""
    document = _document({"name": name, "purpose": purpose or click.prompt(say("new_purpose"))})
    _placed(scaffold.role(PROJECT, document), say("new_role_next", role=name), dry_run)


@new.command()
@click.argument("name")
@click.option("--subject", help="What it is about: podspec, service, ingress, …; it decides the kinds of object.")
@click.option("--field", help="Field of the object, or of the pod spec where there is one: spec.type.")
@click.option("--good", help="A value that is right, and is meant where the field is missing.")
@click.option("--bad", help="The value that is refused.")
@click.option("--control", help="Control that it helps to prove; `balai controls` lists them.")
@click.option("--why", help="Why it stands.")
@click.option("--title-id", help="Title in Indonesian: the secure state.")
@click.option("--title-en", help="Title in English.")
@click.option("--severity", help="low, medium (by default), high or critical.")
@click.option("--dry-run", is_flag=True, help="Show what would be written, and write nothing.")
def rule(name: str, dry_run: bool, **given: str | None) -> None:
    """
    Begin a rule about one field, with cases that pass and fail; what is not given is asked.

    `balai new rule service_not_external --subject service --field spec.type --good ClusterIP --bad ExternalName`
    """
    said: dict[str, Any] = {"name": name, **{key: value for key, value in given.items() if value is not None}}
    for key in ("subject", "field", "good", "bad", "control", "why"):
        if key not in said:
            known = ", ".join(subject for subject, seen in SUBJECTS.items() if not seen.together)
            questions = {
                "subject": say("new_rule_subject", known=known),
                "field": say("new_rule_field"),
                "good": say("new_rule_good"),
                "bad": say("new_rule_bad"),
                "control": say("new_rule_control"),
                "why": say("new_rule_why"),
            }
            said[key] = click.prompt(questions[key])
    for key in ("good", "bad"):  # true and 2 are what YAML takes them for
        said[key] = yamlfile.parse(said[key], key).data
    _placed(scaffold.rule(PROJECT, _document(said)), say("new_rule_next"), dry_run)


def _placed(made: scaffold.Made, following: str, dry_run: bool) -> None:
    for name, text in made.files.items():
        click.echo(f"\n{name}\n" + "\n".join(f"  {line}" for line in text.splitlines()))
    if dry_run:
        click.echo(say("new_not_written"))
        return
    scaffold.write(made)
    click.echo(say("new_written", files=shown(made.folder)))
    click.echo(following)


def _written(root: Path, change: onboarding.Change, *, dry_run: bool, ask: bool) -> bool:
    for path, text in change.files.items():
        if "/" in path:  # the tables grow by a line; their texts would hide what is new
            click.echo(f"\n{path}\n" + "\n".join(f"  {line}" for line in text.splitlines()))
    if dry_run:
        click.echo(say("new_not_written"))
        return False
    if ask:
        click.confirm(say("new_write"), abort=True, default=True)
    onboarding.write(root, change)
    click.echo(say("new_written", files=", ".join(shown(root / path) for path in change.files)))
    return True


def _asked(root: Path) -> Document:
    """Ask nine questions; an answer that cannot be is asked again."""
    regions = table(Region, root / "regions.csv")
    agencies = [a.name for a in load(Agencies, yamlfile.read(root / "agencies.yml")).agencies]

    def region(word: str) -> Region:
        found = onboarding.region_of(word, regions)
        if isinstance(found, Region):
            return found
        near = ", ".join(f"{r.code} {r.name}" for r in found) or say("survey_none")
        raise click.BadParameter(say("new_which_region", near=near))

    place = click.prompt(say("new_region"), value_proc=region)
    said: dict[str, Any] = {"region": place.code}
    questions: list[tuple[str, str, str, Callable[[str], Any]]] = [
        ("name", say("new_name"), onboarding.name_of(place), str),
        ("owner", say("new_owner"), onboarding.government_of(place)[0], str),
        ("size", say("new_size"), "small", str),
        ("hours", say("new_hours"), "unknown", _hours),
        ("uplinks", say("new_uplinks"), "unknown", _uplinks),
        ("offices", say("new_offices", agencies=", ".join(agencies[:8])), "-", _words),
        ("counters", say("new_counters"), "-", _counters),
        ("status", say("new_status"), "cordoned", str),
    ]
    for key, question, default, read in questions:
        said[key] = click.prompt(question, default=default, value_proc=_answer(SiteAnswers, root, said, key, read))
    return _document(said)


def _asked_of_tenant(root: Path) -> Document:
    """Ask twelve questions, those with an answer of their own last; an answer that cannot be is asked again."""
    agencies = load(Agencies, yamlfile.read(root / "agencies.yml")).agencies
    regions = table(Region, root / "regions.csv")
    clusters = [path.stem for path in sorted((root / "clusters").glob("*.yml"))]
    said: dict[str, Any] = {}

    def ask(key: str, question: str, default: str | None, read: Callable[[str], Any] = str) -> None:
        answer = _answer(TenantAnswers, root, said, key, read)
        value = click.prompt(question, default=default, value_proc=answer)
        if value is not None:
            said[key] = value

    def agency(word: str) -> str:
        found = onboarding.agency_of(word, agencies)
        if isinstance(found, Agency):
            return found.name
        near = ", ".join(f"{a.name} ({a.title})" for a in found) or say("survey_none")
        raise click.BadParameter(say("new_which_agency", near=near))

    def region(word: str) -> str | None:
        found = onboarding.region_of(word, regions) if word != "-" else None
        if isinstance(found, list):
            near = ", ".join(f"{r.code} {r.name}" for r in found) or say("survey_none")
            raise click.BadParameter(say("new_which_region", near=near))
        return found.code if found else None

    ask("title", say("new_tenant_title"), None)
    ask("title_en", say("new_tenant_title_en"), None)
    ask("owner", say("new_tenant_owner", agencies=", ".join(a.name for a in agencies[:8])), None, agency)
    ask("legal_ground", say("new_tenant_ground"), None)
    ask("image", say("new_tenant_image"), None)
    ask("name", say("new_tenant_name"), onboarding.tenant_name_of(said["title"]))
    own = next(a.region for a in agencies if a.name == said["owner"])
    ask("region", say("new_tenant_region"), own or "-", region)
    ask("category", say("new_tenant_category"), "tinggi")
    ask("data_class", say("new_tenant_data"), "internal")
    ask("clusters", say("new_tenant_clusters", known=", ".join(clusters)), clusters[0], _words)
    ask("quota", say("new_tenant_quota"), "4 4Gi 20", _quota)
    ask("public", say("new_tenant_public"), "-", lambda text: _yes(text))
    return _document(said)


def _quota(text: str) -> dict[str, Any]:
    parts = text.replace(",", " ").split()
    if len(parts) != 3:
        raise click.BadParameter(say("new_tenant_quota"))
    return {"cpu": parts[0], "memory": parts[1], "pods": int(parts[2]) if parts[2].isdigit() else parts[2]}


def _yes(text: str) -> bool:
    if text.lower() not in ("-", "ya", "y", "yes", "tidak", "t", "no", "n"):
        raise click.BadParameter(say("new_tenant_public"))
    return text.lower() in ("ya", "y", "yes")


def _document(said: dict[str, Any]) -> Document:
    return yamlfile.parse(yaml.safe_dump(said, allow_unicode=True), say("new_answers"))


def _answer(
    model: type[Model], root: Path, said: dict[str, Any], key: str, read: Callable[[str], Any]
) -> Callable[[str], Any]:
    def valid(text: str) -> Any:
        value = read(text)
        if value is None:
            return None
        document = _document({**said, key: value})
        problems = onboarding.tenant_answer_problems(root, document) if model is TenantAnswers else []
        try:
            load(model, document)
        except DataError as error:
            problems += error.problems
        # What is not asked yet is missing, and told when it is asked.
        if mine := [p for p in problems if p.key.partition(".")[0].partition("[")[0] == key or model is SiteAnswers]:
            raise click.BadParameter("; ".join(f"{p.bound}. {p.fix}" for p in mine))
        return value

    return valid


def _words(text: str) -> list[str]:
    return [] if text == "-" else text.replace(",", " ").split()


def _parts(text: str, *, more: bool = False) -> list[list[str]]:
    parts = [part.split() for part in text.split(",")]
    if any(len(part) < 2 or (len(part) > 2 and not more) for part in parts):
        raise click.BadParameter(say("new_parts", given=text))
    return parts


def _hours(text: str) -> Any:
    return text if text == "unknown" else dict(_parts(text))


def _uplinks(text: str) -> Any:
    if text == "unknown":
        return text
    found: list[dict[str, Any]] = []
    for kind, mbps in _parts(text):
        again = sum(uplink["kind"] == kind for uplink in found)
        name = f"{kind}-{again + 1}" if again else kind
        found.append({"name": name, "kind": kind, "mbps": int(mbps) if mbps.isdigit() else mbps})
    return found


def _counters(text: str) -> Any:
    if text == "-":
        return []
    return [
        {"counter": int(number) if number.isdigit() else number, "office": office, **({"on": days} if days else {})}
        for number, office, *days in _parts(text, more=True)
    ]


def _follows(change: onboarding.Change, view: SiteView) -> None:
    plan = view.plan
    click.echo(say("new_plan", title=view.site.title, name=change.name, v4=plan.whole, v6=plan.v6, zone=view.timezone))
    machines = ", ".join(machine.name.removeprefix(f"{change.name}-") for machine in view.machines)
    click.echo(say("new_machines", machines=machines))
    services = sorted({service for flow in view.flows for service in flow.services})
    click.echo(say("new_flows", flows=len(view.flows), services=", ".join(services)))


def _follows_of_tenant(estate: Estate, name: str) -> None:
    made = estate.tenants[name]
    click.echo(
        say(
            "new_tenant_plan",
            title=made.title,
            name=name,
            namespace=made.namespace,
            clusters=", ".join(made.clusters),
            replicas=made.answering[0].replicas,
            rpo=made.recovery.rpo,
            rto=made.recovery.rto,
            review=made.review,
        )
    )
    flows = [
        f.name for f in estate.flows if f.services and (f.regions == [made.region] if made.region else not f.regions)
    ]
    host = host_of(f"{name}/{made.answering[0].name}")
    click.echo(say("new_tenant_flows", host=host, flows=", ".join(flows) or say("survey_none")))
    for loss in fitting.losses(estate):
        for verdict in fitting.fit(estate, loss):
            if verdict.tenant == name and verdict.state != "fits":
                click.echo(fitting.words(verdict))
            elif verdict.tenant == name and not str(loss):
                click.echo(say("new_tenant_fits", cluster=verdict.cluster))
