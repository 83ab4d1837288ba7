"""`balai check`: the rules on manifests in files or on standard input."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from balai.errors import DataError, Problem, shown
from balai.models.tenant import Category
from balai.rules import files
from balai.text import language, say


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="FILE...")
@click.option(
    "--category",
    type=click.Choice(["rendah", "tinggi", "strategis"]),
    help="SPBE category of the tenant; the strictest where neither this nor a Namespace says.",
)
@click.option("--json", "as_json", is_flag=True, help="Findings as JSON.")
def check(paths: tuple[str, ...], category: Category | None, as_json: bool) -> int:
    """Judge manifests (files, folders, or - for standard input). Exit 1 when a rule denies."""
    problems: list[Problem] = []
    objects: list[files.Located] = []
    for path in _files(paths):
        try:
            text = sys.stdin.read() if path is None else path.read_text(encoding="utf-8")
            objects += files.read(text, "-" if path is None else shown(path))
        except (OSError, UnicodeDecodeError) as error:
            problems.append(
                Problem(
                    file=str(path),
                    line=0,
                    key="",
                    given=type(error).__name__,
                    bound="the file cannot be read",
                    fix="Check its name and that it is text.",
                )
            )
        except DataError as error:
            problems += error.problems
    if problems:
        raise DataError(problems)
    found = list(files.judge(objects, category))
    denied = sum(finding.mode == "deny" for _, finding in found)
    if as_json:
        click.echo(
            json.dumps(
                [
                    {
                        "file": item.file,
                        "line": item.line,
                        "rule": f.rule.id,
                        "mode": f.mode,
                        "kind": f.kind,
                        "name": f.name,
                        "namespace": f.namespace,
                        "message": f.message,
                        "controls": f.rule.controls,
                        "remediation": f.rule.remediation.model_dump(),
                    }
                    for item, f in found
                ],
                ensure_ascii=False,
            )
        )
    else:
        for item, finding in found:
            fix = getattr(finding.rule.remediation, language())
            click.echo(
                f"{item.file}:{item.line}: {finding.mode}: [{finding.rule.id}] {finding.what}: {finding.message}. {fix}"
            )
        key = "check_found" if found else "check_clean"
        click.echo(say(key, objects=len(objects), deny=denied, warn=len(found) - denied))
    return 1 if denied else 0


def _files(paths: tuple[str, ...]) -> list[Path | None]:
    result: list[Path | None] = []
    for name in paths:
        path = Path(name)
        if name == "-":
            result.append(None)
        elif path.is_dir():
            result += sorted(p for p in path.rglob("*") if p.suffix in (".yml", ".yaml", ".json"))
        else:
            result.append(path)
    return result
