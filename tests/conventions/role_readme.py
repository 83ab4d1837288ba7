"""
A role's README, from its argument specs.

    python -m tests.conventions.role_readme      # writes roles/*/README.md anew
"""

from __future__ import annotations

import json
from pathlib import Path

import yaml

ROLES = Path(__file__).resolve().parent.parent.parent / "roles"


def readme(role: Path) -> str:
    """Return the README of one role."""
    main = yaml.safe_load((role / "meta/argument_specs.yml").read_text())["argument_specs"]["main"]
    lines = [
        f"# {role.name}",
        "",
        main["short_description"] + ".",
        "",
        *main["description"],
        "",
        "## Inputs",
        "",
        "| name | type | default | meaning |",
        "|---|---|---|---|",
    ]
    for name, spec in main["options"].items():
        default = "required" if spec.get("required") else f"`{json.dumps(spec['default'], ensure_ascii=False)}`"
        meaning = " ".join(spec["description"].split())
        lines.append(
            f"| `{name}` | {spec['type']} | {default if len(default) < 60 else 'see `defaults/main.yml`'} | {meaning} |"
        )
    required = [name for name, spec in main["options"].items() if spec.get("required")]
    lines += [
        "",
        "## Example",
        "",
        "```yaml",
        f"- role: {role.name}",
        "  vars:",
        *(f"    {name}: …" for name in required),
        "```",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    for folder in sorted(ROLES.iterdir()):
        (folder / "README.md").write_text(readme(folder))
