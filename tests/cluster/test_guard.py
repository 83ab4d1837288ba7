"""The rules inside a program, under the real engine: unknown and secret values, and several findings at once."""

from __future__ import annotations

import pytest

from tests.cluster.conftest import Project

pytestmark = pytest.mark.lab

PROGRAM = """
from balai.components.guard import guard
guard({"registries": ["registry.balai.internal"]}, category="tinggi")
ns = k8s.core.v1.Namespace("ns", metadata={"name": NS})
def pod(name, **spec):
    k8s.core.v1.Pod(name, metadata={"name": name, "namespace": NS}, spec={"containers": [
        {"name": "c", "image": "x", "env": [{"name": "E", "value": ENV}]}], **spec},
        opts=pulumi.ResourceOptions(depends_on=[ns]))
"""


def test_every_finding_of_every_resource_is_in_one_preview(project: Project) -> None:
    project.write(PROGRAM.replace("ENV", '"plain"') + "pod('a', hostNetwork=True)\npod('b', hostPID=True)\n")

    said = project.pulumi("preview", fails=True)

    for name in ("a", "b"):
        assert f"error: [no_host_namespaces] Pod {project.namespace}/{name}" in said
        assert f"error: [image_by_digest] Pod {project.namespace}/{name}" in said
    assert "Traceback" not in said


def test_a_value_that_a_preview_does_not_know_leaves_the_verdict_to_the_update(project: Project) -> None:
    project.write(PROGRAM.replace("ENV", "ns.metadata.uid") + "pod('a', hostNetwork=True)\n")

    said = project.pulumi("preview")
    assert "undecided: a value is not known yet" in said

    assert "[no_host_namespaces]" in project.up(fails=True)
    assert project.live("/api/v1/namespaces/NS/pods/a") is None


def test_a_secret_value_hides_nothing_from_the_rules(project: Project) -> None:
    project.pulumi("config", "set", "--secret", "pin", "tujuh-delapan")
    project.write(PROGRAM.replace("ENV", 'pulumi.Config().require_secret("pin")') + "pod('a', hostNetwork=True)\n")

    said = project.up(fails=True)

    assert "[no_host_namespaces]" in said
    assert "tujuh-delapan" not in said
    assert project.live("/api/v1/namespaces/NS/pods/a") is None
