"""
Everything that would be applied, as files in a stable form: a review is a diff of two of these folders.

Objects are those that the program of a stack declares, taken from a run of it against stand-ins for engine and cluster,
so nothing is asked of anybody; variables are those that Ansible is told. What a stack brings of a tenant's own files is
copied as it is written there.
"""

from __future__ import annotations

import asyncio
import contextvars
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from balai.deploy import PROJECT, stacks_of
from balai.errors import DataError
from balai.estate import Estate
from balai.mall import routeros
from balai.mall.inventory import GROUPS, of_group, of_machine, of_site
from balai.reading import problem
from balai.rules.lens import normalised
from balai.sites import SiteView

Json = dict[str, Any]
TYPES = "kubernetes:"
MARK = ".balai-rendered"


def texts_of_site(view: SiteView) -> Iterator[tuple[str, str]]:
    """Yield the files of one mall: the variables of each machine, and the script for a router that is not ours."""
    everybody = of_site(view)
    for machine in view.machines:
        told = {**everybody, **of_group(GROUPS[machine.kind], view), **of_machine(machine, view)}
        text = json.dumps(told, indent=1, sort_keys=True, ensure_ascii=False)
        yield f"sites/{view.site.name}/{machine.name}.json", f"{text}\n"
    yield f"sites/{view.site.name}/routeros.rsc", routeros.render(view)


def texts_of_cluster(estate: Estate, cluster: str) -> Iterator[tuple[str, str]]:
    """Yield the objects of each stack of a cluster, a file a stack."""
    for stack in (name for layer in stacks_of(estate, cluster) for name in layer):
        objects = sorted(objects_of(stack, estate), key=_order)
        text = _manifests(objects)
        name = f"tenants/{stack.rpartition('.')[2]}" if stack.startswith("tenant.") else "foundation"
        yield f"clusters/{cluster}/{name}.yml", text


def text_of_fleet(estate: Estate, data_centre: str) -> tuple[str, str]:
    """Return the file of a data centre's clusters; while something that they need is unknown, it says what."""
    name = f"data_centres/{data_centre}/fleet.yml"
    try:
        objects = sorted(objects_of(f"fleet.{data_centre}", estate), key=_order)
    except DataError as error:
        return name, f"# Cannot be made yet: {error}\n"
    return name, _manifests(objects)


def _manifests(objects: list[Json]) -> str:
    fast = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text: str = yaml.dump_all(objects, Dumper=fast, explicit_start=True, allow_unicode=True, width=120)
    return text


def _order(item: Json) -> tuple[str, str, str]:
    metadata = item.get("metadata", {})
    return item["kind"], metadata.get("namespace", ""), metadata.get("name", "")


def objects_of(stack: str, estate: Estate) -> list[Json]:
    """Return the objects that a stack declares, as the API server would be sent them."""
    import pulumi
    from pulumi.runtime.stack import run_pulumi_func

    from stacks.layers import declare

    seen: list[Json] = []
    left_open: set[asyncio.AbstractEventLoop] = set()

    class StandIn(pulumi.runtime.Mocks):
        """The engine and the cluster: takes note of what is declared, and makes nothing."""

        def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, Json]:
            left_open.add(asyncio.get_event_loop())  # Pulumi makes one for each of its threads and closes none
            if args.typ.startswith(TYPES) and "kind" in args.inputs:
                seen.append(normalised(args.inputs))
            return f"{args.name}-id", args.inputs

        def call(self, args: pulumi.runtime.MockCallArgs) -> tuple[Json, list[tuple[str, str]]]:
            left_open.add(asyncio.get_event_loop())
            text = args.args.get("text", "")  # the provider decodes what a tenant brings as files, and nothing else
            return {"result": [item for item in yaml.safe_load_all(text) if item]}, []

    def run() -> None:
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        try:
            pulumi.runtime.set_mocks(StandIn(), project=PROJECT, stack=stack, preview=False)
            loop.run_until_complete(run_pulumi_func(lambda: declare(stack, estate)))
        finally:
            loop.run_until_complete(loop.shutdown_default_executor())
            for each in (loop, *left_open):
                each.close()

    # What a program registers for its whole stack would be that of the next one too: each has a context of its own.
    contextvars.copy_context().run(run)
    return seen


def write(folder: Path, texts: Iterator[tuple[str, str]]) -> tuple[int, list[str]]:
    """
    Make a folder hold these files and no other; return how many, and those that were written or removed.

    Raises:
        DataError: Something is in the folder that was not rendered.
    """
    mark = folder / MARK
    if folder.exists() and any(folder.iterdir()) and not mark.exists():
        bound = "the folder holds something that was not rendered, and all that is not would be removed"
        raise DataError([problem(folder, bound, "Name an empty folder, or one that does not exist.")])
    folder.mkdir(parents=True, exist_ok=True)
    mark.write_text("Rendered by balai: whatever is not of the estate is removed from this folder.\n", encoding="utf-8")
    rendered, changed = {MARK}, []
    for name, text in texts:
        path = folder / name
        rendered.add(name)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            changed.append(name)
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        if (name := str(path.relative_to(folder))) not in rendered and ".git" not in path.parts:
            path.unlink()
            changed.append(name)
    return len(rendered) - 1, changed
