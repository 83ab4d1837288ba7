"""
The only place that knows the CEL engine.

It offers what the API server's ValidatingAdmissionPolicy offers too, and nothing more, so that a
rule which compiles here means the same there (tests/policies proves it on a real API server).
"""

from __future__ import annotations

from functools import cache
from typing import Any

from cel_expr_python import cel

from balai.errors import RuleError

_CONFIG = (
    "extensions: [{name: strings, version: 2}, {name: optional}, {name: sets}, "
    "{name: lists, version: 2}, {name: two-var-comprehensions}]"
)
_ROOTS = ("object", "namespaceObject", "params")


class Program:
    """Expressions of one subject over its variables, compiled once."""

    def __init__(self, variables: dict[str, str], expressions: dict[str, str]) -> None:
        """
        Compile.

        Raises:
            RuleError: An expression is no CEL, or does not yield true or false.
        """
        names = dict.fromkeys([*_ROOTS, *(f"variables.{v}" for v in variables)], cel.Type.DYN)
        self._env = cel.NewEnv(config=cel.NewEnvConfigFromYaml(_CONFIG), variables=names)
        self._variables = {f"variables.{name}": self._compile(name, text) for name, text in variables.items()}
        self._expressions = {name: self._compile(name, text) for name, text in expressions.items()}
        for name, program in self._expressions.items():
            if program.return_type() != cel.Type.BOOL:
                raise RuleError(
                    f"{name}: the expression yields {program.return_type()}, not a bool; compare it with == true"
                )

    def _compile(self, name: str, text: str) -> Any:
        try:
            return self._env.compile(text)
        except RuntimeError as error:
            raise RuleError(f"{name}: {error}") from None

    def judge(self, item: Any, namespace: Any, params: Any) -> dict[str, str]:
        """Return the expressions that do not hold, each with "" or the error it ran into."""
        known = {"object": item, "namespaceObject": namespace, "params": params}
        for name, program in self._variables.items():
            try:
                value = program.eval(
                    self._env.Activation({**known, **{n: None for n in self._variables if n not in known}})
                )
                known[name] = None if value.type() == cel.Type.ERROR else value.plain_value()
            except RuntimeError:
                known[name] = None
        activation = self._env.Activation(known)
        broken = {}
        for name, program in self._expressions.items():
            try:
                value = program.eval(activation)
            except RuntimeError as error:
                broken[name] = str(error)
                continue
            if value.type() == cel.Type.ERROR:
                broken[name] = str(value.value())
            elif value.value() is not True:
                broken[name] = ""
        return broken


@cache
def _single(text: str, names: tuple[str, ...]) -> Any:
    env = cel.NewEnv(config=cel.NewEnvConfigFromYaml(_CONFIG), variables=dict.fromkeys(names, cel.Type.DYN))
    try:
        return env, env.compile(text)
    except RuntimeError as error:
        raise RuleError(f"{text}: {error}") from None


def value(text: str, scope: dict[str, Any]) -> Any:
    """
    Return what one expression over a scope yields.

    Raises:
        RuleError: It is no CEL.
        ValueError: It runs into an error on this scope.
    """
    env, compiled = _single(text, tuple(sorted(scope)))
    try:
        found = compiled.eval(env.Activation(scope))
    except RuntimeError as error:
        raise ValueError(str(error)) from None
    if found.type() == cel.Type.ERROR:
        raise ValueError(str(found.value()))
    return found.plain_value()


def holds(text: str, scope: dict[str, Any]) -> bool:
    """Return whether one expression over a scope is true."""
    return value(text, scope) is True


@cache
def program(variables: tuple[tuple[str, str], ...], expressions: tuple[tuple[str, str], ...]) -> Program:
    """Return the compiled program of these texts, compiling once a process."""
    return Program(dict(variables), dict(expressions))
