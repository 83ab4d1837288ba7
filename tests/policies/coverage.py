"""`python -m tests.policies.coverage` writes docs/controls.md: every control, what proves it, or why nothing does."""

from __future__ import annotations

from pathlib import Path

from balai.rules.catalogue import baseline, proofs

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "controls.md"


def document() -> str:
    """Return docs/controls.md."""
    found = proofs()
    proven = sum(bool(proof.ways) for proof in found.values())
    lines = [
        "# The controls of the SPBE baseline, and what proves them",
        "",
        "Made by `python -m tests.policies.coverage`; a test keeps it true, so a control that loses its last check fails the build.",
        "`balai controls` shows the same with titles, filters and JSON. A check helps to prove a control; few prove one whole.",
        "",
        f"Edition {baseline().version}: {proven} of {len(found)} controls are looked at by machine.",
        "",
        "| control | text | proven by, or why not |",
        "|---|---|---|",
    ]
    for name, proof in found.items():
        ways = "; ".join(f"{way}: {', '.join(ids)}" for way, ids in proof.ways.items())
        why = f"*{proof.why.en}*" if proof.why else ways
        lines.append(f"| {name} | {proof.control.verification} | {why} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    DOCUMENT.write_text(document())
