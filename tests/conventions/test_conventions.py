"""Each convention of this repository, as a test that fails when it is broken."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from pathlib import Path

import pytest
import yaml

from balai import text
from balai.components import TOKENS
from balai.onsite import status
from balai.rules import load_rules
from balai.rules.catalogue import controls, fact_checks, proofs
from balai.rules.model import FOLDER
from tests.conventions.role_readme import ROLES, readme

ROOT = Path(__file__).resolve().parent.parent.parent
PYTHON = [
    p
    for top in ("balai", "stacks", "policies", "lab", "ansible_collections", "tests", "benchmarks")
    for p in sorted((ROOT / top).rglob("*.py"))
]
PRODUCT = [p for p in PYTHON if p.relative_to(ROOT).parts[0] in ("balai", "stacks", "policies", "ansible_collections")]
ROLE_FOLDERS = sorted(ROLES.iterdir())
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "benchmarks").glob("*.md")]
OTHER_FRAMEWORKS = ("cis-kubernetes:",)


PAGES = {
    "screen_": [
        "roles/kiosk/files/screen.js",
        "balai/onsite/screen.py",
        "balai/onsite/printer.py",
        "roles/kiosk/templates/bar.json.j2",
        "balai/models/flow.py",
    ],
    "intake_": ["roles/intake/files/intake.js", "balai/onsite/intake.py"],
    "satisfaction_": ["roles/queue/files/pages/survei.js"],
    "verdicts_": ["balai/onsite/verdicts.py"],
    "queue_": ["roles/queue/files/pages/queue.js", "balai/onsite/queue.py"],
}


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", PYTHON, ids=name)
def test_a_module_has_at_most_400_lines(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400


@pytest.mark.parametrize("path", [p for p in PYTHON if "tests" in p.parts], ids=name)
def test_every_file_that_defines_a_test_is_collected(path: Path) -> None:
    if re.search(r"^def test_", path.read_text(), re.MULTILINE):
        assert path.name.startswith("test_")


@pytest.mark.parametrize("path", sorted((ROOT / "tests").rglob("test_*.py")), ids=name)
def test_whoever_works_on_the_mall_s_machines_says_so_and_runs_by_itself(path: Path) -> None:
    """Tests that do not say so run at the same time."""
    text = path.read_text()
    works = re.search(r"^from lab import .*\b(internet|machines|screens)\b|\"ansible-playbook\"", text, re.MULTILINE)

    if works and "mark.lab" in text and path.parent.name != "host":
        assert "mark.mall" in text or "mark.last" in text


@pytest.mark.parametrize("path", PRODUCT, ids=name)
def test_the_product_has_no_assert_and_no_swallowed_error(path: Path) -> None:
    tree = ast.parse(path.read_text())

    assert [n.lineno for n in ast.walk(tree) if isinstance(n, ast.Assert)] == []
    silent = [
        n.lineno
        for n in ast.walk(tree)
        if isinstance(n, ast.ExceptHandler) and all(isinstance(s, ast.Pass) for s in n.body)
    ]
    assert silent == []


@pytest.mark.parametrize("path", [p for p in PRODUCT if p.read_text().strip()], ids=name)
def test_every_public_thing_has_a_docstring(path: Path) -> None:
    tree = ast.parse(path.read_text())
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    public = [n for n in tree.body if isinstance(n, kinds) and not n.name.startswith("_")]
    if path.name == "host_facts.py":  # a script for another machine: its module says what it is
        public = []

    assert ast.get_docstring(tree)
    assert [n.name for n in public if not ast.get_docstring(n)] == []


@pytest.mark.parametrize("path", sorted((ROOT / "balai/onsite").glob("*.py")), ids=name)
def test_what_runs_on_a_mall_s_machine_needs_the_standard_library_alone(path: Path) -> None:
    tree = ast.parse(path.read_text())
    imported = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    imported |= {str(n.module) for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}

    assert {module.partition(".")[0] for module in imported} <= sys.stdlib_module_names


@pytest.mark.parametrize("program", sorted((ROOT / "balai/onsite").glob("*.py")), ids=name)
def test_a_role_that_installs_a_program_installs_what_lies_beside_it_too(program: Path) -> None:
    """A program finds the others in its own folder, and without them it does not start."""
    beside = set(re.findall(r"""(?:sibling\(|with_name\()"(\w+?)(?:\.py)?"\)""", program.read_text()))

    for role in ROLE_FOLDERS:
        words = "".join(p.read_text() for folder in ("tasks", "vars") for p in (role / folder).glob("*.yml"))
        copied = {f"{n}.py" for n in re.findall(r"lookup\('ansible.builtin.file', '(\w+)\.py'", words)}
        if program.name in copied:
            assert {f"{n}.py" for n in beside} <= copied
        assert all((role / "files" / n).resolve() == ROOT / "balai/onsite" / n for n in copied)


def test_yaml_files_end_in_yml() -> None:
    ours = [p for p in ROOT.rglob("*.yaml") if not {".venv", "config"} & set(p.parts)]

    assert sorted(p.name for p in ours) == [".pre-commit-config.yaml", "Pulumi.yaml", "PulumiPolicy.yaml"], (
        "names that others fix"
    )


@pytest.mark.parametrize("role", ROLE_FOLDERS, ids=lambda p: p.name)
class TestRoles:
    def specs(self, role: Path) -> dict:
        return yaml.safe_load((role / "meta/argument_specs.yml").read_text())["argument_specs"]["main"]["options"]

    def test_defaults_and_specs_say_the_same(self, role: Path) -> None:
        defaults = yaml.safe_load((role / "defaults/main.yml").read_text()) or {}

        assert {k: s["default"] for k, s in self.specs(role).items() if "default" in s} == defaults

    def test_a_required_input_has_no_default_and_every_other_has_one(self, role: Path) -> None:
        assert [k for k, s in self.specs(role).items() if bool(s.get("required")) == ("default" in s)] == []

    def test_inputs_carry_the_roles_name_and_internals_underscores(self, role: Path) -> None:
        internals = yaml.safe_load((role / "vars/main.yml").read_text()) or {}

        assert [k for k in self.specs(role) if not k.startswith(f"{role.name}_")] == []
        assert [k for k in internals if not k.startswith(f"__{role.name}_")] == []

    def test_the_readme_is_what_the_specs_say(self, role: Path) -> None:
        assert (role / "README.md").read_text() == readme(role), "run `python -m tests.conventions.role_readme`"

    def test_every_template_is_used_and_says_that_it_is_managed(self, role: Path) -> None:
        uses = [*(role / "tasks").glob("*.yml"), *(role / "vars").glob("*.yml"), *(role / "templates").glob("*.yml.j2")]
        tasks = "".join(path.read_text() for path in uses)
        for template in (role / "templates").glob("*.j2"):
            assert template.name in tasks
            assert re.search("ansible.managed", template.read_text(), re.IGNORECASE) or template.name == "site.j2"


@pytest.mark.parametrize("rule", load_rules(), ids=lambda r: r.id)
def test_a_rule_has_its_cases_and_names_controls_that_exist(rule) -> None:
    (folder,) = FOLDER.glob(f"*/{rule.id}")

    assert {p.name for p in folder.iterdir()} == {"rule.yml", "good.yml", "bad.yml"}
    assert [c for c in rule.controls if c not in controls() and not c.startswith(OTHER_FRAMEWORKS)] == []
    assert any(c in controls() for c in rule.controls)
    assert not re.match(r"ensure|check|make sure", rule.title.en, re.IGNORECASE), "a title states the secure state"


@pytest.mark.parametrize("rule", load_rules(), ids=lambda r: r.id)
def test_a_rule_denies_on_a_text_that_was_read_or_on_a_technical_ground(rule) -> None:
    if rule.ground != "technical":
        assert rule.ground in rule.controls
        assert controls()[rule.ground].verification == "read"


def test_at_least_ninety_controls_are_proven_and_each_other_says_why_not() -> None:
    assert sum(bool(p.ways) for p in proofs().values()) >= 90
    assert all((p.why is None) == bool(p.ways) for p in proofs().values())


@pytest.mark.parametrize("check", fact_checks(), ids=lambda c: c.id)
def test_a_check_names_controls_that_exist(check) -> None:
    assert check.controls
    assert [c for c in check.controls if c not in controls()] == []


def test_the_readme_counts_the_rules() -> None:
    assert f"{len(load_rules())} rules with good and bad cases" in (ROOT / "README.md").read_text()


def test_ids_of_checks_and_rules_are_unique() -> None:
    ids = [c.id for c in fact_checks()] + [r.id for r in load_rules()]

    assert len(set(ids)) == len(ids)


def test_the_catalogue_of_controls_is_whole() -> None:
    assert len(controls()) == 240
    assert all(c.article is None for c in controls().values() if c.verification == "recalled"), "an article nobody read"


def test_every_message_is_used_and_stands_in_both_languages() -> None:
    catalogue = yaml.safe_load((ROOT / "balai/messages.yml").read_text())
    sources = "".join(p.read_text() for p in PRODUCT) + "".join(
        page.read_text() for page in sorted((ROOT / "templates").rglob("*.j2"))
    )
    used = set(re.findall(r"""(?:say|both)\(\s*["'](\w+)["']""", sources)) | set(
        re.findall(r"""\bt\('(\w+)'""", sources)
    )
    used |= set(re.findall(r'"(\w+)"', " ".join(re.findall(r"for column in \(([^)]*)\)", sources))))

    onsite = (ROOT / "balai/onsite/status.py").read_text()  # it is given its sentences by the inventory
    used |= set(re.findall(r'"(status_\w+)"', onsite)) | {f"status_{kind}" for kind in status.LETTERS}
    # Pages of a screen and of the queue are given theirs the same way.
    for prefix, files in PAGES.items():
        words = "".join((ROOT / path).read_text() for path in files)
        known = {key for key in catalogue if key.startswith(prefix)}
        used |= {key for key in known if re.search(rf"\b({key}|{key.removeprefix(prefix)})\b", words)}

    assert set(catalogue) == used
    assert [k for k, v in catalogue.items() if set(v) != set(text.LANGUAGES)] == []


@pytest.mark.parametrize(("token", "component"), TOKENS.items())
def test_a_component_registers_its_token_and_its_outputs(token: str, component: type) -> None:
    source = inspect.getsource(component)

    assert f'"{token}"' in source
    assert "self.register_outputs(" in source


def test_every_component_is_in_the_table() -> None:
    found = {
        n.name
        for p in (ROOT / "balai/components").glob("*.py")
        for n in ast.parse(p.read_text()).body
        if isinstance(n, ast.ClassDef) and any("ComponentResource" in ast.unparse(b) for b in n.bases)
    }

    assert found == {component.__name__ for component in TOKENS.values()}


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_paths_and_commands_named_in_a_document_exist(path: Path) -> None:
    words = path.read_text()
    tops = "balai|docs|inventories|lab|policies|roles|stacks|templates|tests|benchmarks"
    paths = {p.rstrip("/.,") for p in re.findall(rf"`((?:{tops})/[\w./-]+)`", words)}
    targets = set(re.findall(r"`?make ([a-z]+)`", words))
    makefile = (ROOT / "Makefile").read_text()

    assert [p for p in paths if not (ROOT / p).exists()] == []
    assert [t for t in targets if f"\n{t}:" not in makefile] == []
