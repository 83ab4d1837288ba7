"""The one parameter object of a cluster: numbers and lists that no law gives, and the exceptions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from balai.errors import RuleError
from balai.rules.exceptions import Exception_
from balai.rules.model import Rule


def parameters(
    rules: Iterable[Rule], given: Mapping[str, Sequence[str]], exceptions: Iterable[Exception_]
) -> dict[str, str]:
    """
    Return the data of the parameter object: texts, because it is a ConfigMap.

    Raises:
        RuleError: A cluster gives a parameter that no rule has.
    """
    defaults = {name: parameter.default for rule in rules for name, parameter in rule.params.items()}
    if unknown := sorted(set(given) - set(defaults)):
        raise RuleError(f"no rule has the parameter {unknown[0]!r}; there are {', '.join(sorted(defaults))}")
    data = {name: ",".join(given.get(name, value)) for name, value in sorted(defaults.items())}
    lines = sorted(line for exception in exceptions for line in exception.lines())
    return {**data, "exceptions": "\n".join(lines)} if lines else data
