"""
Prints what the whole country costs: 514 malls and 300 tenants, synthetic, each figure beside its peer in the same run.

    python -m benchmarks.country            # needs no lab
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml
from rich.console import Console
from rich.table import Table

from balai.estate import load_estate
from benchmarks.__main__ import median
from tests import country

ROOT = Path(__file__).resolve().parent.parent
MAPPI = "region: Mappi\noffices: [dukcapil, imigrasi]\nstatus: active\n"


def main() -> None:
    """Measure and print."""
    table = Table("what", "seconds", "peer", "seconds", "ratio", box=None)

    def row(what: str, seconds: float, peer: str = "", beside: float = 0.0) -> None:
        table.add_row(
            what,
            f"{seconds:.2f}",
            peer,
            f"{beside:.2f}" if beside else "",
            f"{seconds / beside:.2f}" if beside else "",
        )

    def balai(*argv: str, inventories: Path) -> float:
        env = {**os.environ, "BALAI_INVENTORIES": str(inventories)}
        command = [sys.executable, "-m", "balai", *argv]
        return median(lambda: subprocess.run(command, cwd=ROOT, env=env, check=True, capture_output=True), 3)

    with tempfile.TemporaryDirectory() as folder:
        inventories = Path(folder) / "inventories"
        country.write(inventories)
        files = [path.read_text() for path in inventories.rglob("*.yml")]
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        row(
            f"load and cross-check of the country ({len(files)} files)",
            median(lambda: load_estate(inventories)),
            "PyYAML with libyaml reads the same files, and checks nothing",
            median(lambda: [yaml.load(text, loader) for text in files]),
        )
        row("balai validate of the country, start included", balai("validate", inventories=inventories))
        answers = Path(folder) / "answers.yml"
        answers.write_text(MAPPI)
        real = ROOT / "inventories"
        row(
            "balai new site to a passing check (--dry-run)",
            balai("new", "site", "--answers", str(answers), "--dry-run", inventories=real),
        )
        out = str(Path(folder) / "rendered")
        row(
            "balai render of the country: every object and variable",
            balai("render", "--out", out, inventories=inventories),
        )
        count = sum(1 for path in Path(out).rglob("*") if path.is_file())
        table.add_row(f"   files of it: {count}")
    Console(width=160).print(table)


if __name__ == "__main__":
    main()
