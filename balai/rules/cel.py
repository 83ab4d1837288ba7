"""
The only place that knows the CEL engine.

It offers what the API server's ValidatingAdmissionPolicy offers too, and nothing more, so that a
rule which compiles here means the same there (tests/policies proves it on a real API server).
"""

from __future__ import annotations

import re
from functools import cache, cached_property
from typing import Any

from cel_expr_python import cel

from balai.errors import RuleError

_EXTENSIONS = (
    "{name: strings, version: 2}, {name: optional}, {name: sets}, "
    "{name: lists, version: 2}, {name: two-var-comprehensions}"
)
_CONFIG = f"extensions: [{_EXTENSIONS}]"
_CONFIG_WITH_BIND = f"extensions: [{_EXTENSIONS}, {{name: bindings}}]"
_ROOTS = ("object", "namespaceObject", "params")
_VARIABLE = re.compile(r"\bvariables\.(\w+)")


class Program:
    """
    Expressions of one subject over its variables.

    All of them are asked in one expression, which costs a fifth of asking each; when one of them
    runs into an error, each is asked alone, so that it hides no other.
    """

    def __init__(self, variables: dict[str, str], expressions: dict[str, str]) -> None:
        """
        Compile.

        Raises:
            RuleError: An expression is no CEL.
        """
        self._variables, self._expressions = variables, expressions
        entries = ", ".join(f"({text}) ? '' : '{name}'" for name, text in expressions.items())
        whole = f"[{entries}].filter(broken, broken != '')"
        for name, text in reversed(variables.items()):
            whole = f"cel.bind(variables.{name}, {text}, {whole})"
        self._env = _environment(_CONFIG_WITH_BIND, ())
        try:
            self._combined = self._env.compile(_VARIABLE.sub(r"v_\1", whole))
        except RuntimeError as error:
            self.verify()
            raise RuleError(f"the expressions do not fit together: {error}") from None

    def verify(self) -> None:
        """
        Compile each expression as strictly as the API server does.

        Raises:
            RuleError: One is no CEL, asks for what the API server does not offer, or yields no bool.
        """
        _, _, programs = self._each
        for name, program in programs.items():
            if program.return_type() != cel.Type.BOOL:
                raise RuleError(
                    f"{name}: the expression yields {program.return_type()}, not a bool; compare it with == true"
                )

    @cached_property
    def _each(self) -> tuple[Any, dict[str, Any], dict[str, Any]]:
        env = _environment(_CONFIG, tuple(self._variables))
        variables = {f"variables.{name}": _compiled(env, name, text) for name, text in self._variables.items()}
        return env, variables, {name: _compiled(env, name, text) for name, text in self._expressions.items()}

    def judge(self, item: Any, namespace: Any, params: Any) -> dict[str, str]:
        """Return the expressions that do not hold, each with "" or the error it ran into."""
        known = {"object": item, "namespaceObject": namespace, "params": params}
        try:
            value = self._combined.eval(self._env.Activation(known))
            if value.type() != cel.Type.ERROR:
                return dict.fromkeys(value.plain_value(), "")
        except RuntimeError:  # one of them met an error, and which one is found out by asking each
            return self._judge_each(known)
        return self._judge_each(known)

    def _judge_each(self, known: dict[str, Any]) -> dict[str, str]:
        env, variables, expressions = self._each
        for name, program in variables.items():
            try:
                value = program.eval(env.Activation(known))
            except RuntimeError:  # what asks for it will say so
                continue
            if value.type() != cel.Type.ERROR:
                known[name] = value.plain_value()
        activation = env.Activation(known)
        broken = {}
        for name, program in expressions.items():
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
def _environment(config: str, variables: tuple[str, ...]) -> Any:
    names = dict.fromkeys([*_ROOTS, *(f"variables.{name}" for name in variables)], cel.Type.DYN)
    return cel.NewEnv(config=cel.NewEnvConfigFromYaml(config), variables=names)


def _compiled(env: Any, name: str, text: str) -> Any:
    try:
        return env.compile(text)
    except RuntimeError as error:
        raise RuleError(f"{name}: {error}") from None


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
