"""Django's template language, cut down to what may be edited in a browser.

Variables are plain data (``plain``) that nothing but keys and positions is looked up in: no attributes and
no methods, so nothing can be called. Tags and filters are those of ``notifications.messages.vocabulary``. A
budget ends whatever would make much text out of little.
"""

import math
from collections.abc import Mapping
from datetime import date, datetime
from itertools import islice
from typing import Any, Final

from django.template import Context, Engine, Node, NodeList, Template, VariableDoesNotExist
from django.template.base import (
    FilterExpression,
    Lexer,
    Origin,
    Parser,
    TextNode,
    Token,
    Variable,
    VariableNode,
)
from django.template.defaulttags import ForNode, WithNode

# A template may cost so much: characters written, turns of loops, and look-ups.
BUDGET: Final = 50_000
# Longest text, longest list and deepest nesting of what a template is given.
MAX_TEXT: Final = 4_000
MAX_ITEMS: Final = 100
MAX_DEPTH: Final = 6
# Longer numbers than any that means something; Python refuses to print the longest.
_MAX_BITS: Final = 128


class TooMuch(Exception):
    """The template writes too much, or loops too often."""


class Budgeted(Context):
    """What one rendering knows, and what it may still spend."""

    def __init__(self, variables: dict[str, Any]) -> None:
        super().__init__(variables, autoescape=False)
        self.left = BUDGET


def _spend(context: Context, amount: int) -> None:
    assert isinstance(context, Budgeted)
    context.left -= amount
    if context.left < 0:
        raise TooMuch(f"it makes more than {BUDGET} characters, or loops too often")


def plain(value: Any, depth: int = MAX_DEPTH) -> Any:
    """Return a copy that is nothing but bounded dicts, lists, texts and numbers; null counts as missing."""
    if isinstance(value, str):
        return str(value[:MAX_TEXT])
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if value.bit_length() <= _MAX_BITS else None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        if depth == 0:
            return None
        known = ((str(key), plain(each, depth - 1)) for key, each in islice(value.items(), MAX_ITEMS))
        return {key: each for key, each in known if each is not None}
    if isinstance(value, list | tuple | set | frozenset):
        return None if depth == 0 else [plain(each, depth - 1) for each in islice(value, MAX_ITEMS)]
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value)[:MAX_TEXT]


def look_up(known: Any, lookups: tuple[str, ...]) -> Any:
    """Return what a dotted name means, by keys and positions; raises KeyError, ValueError or IndexError."""
    current = known[lookups[0]]
    for name in lookups[1:]:
        if isinstance(current, dict):
            current = current[name]
        elif isinstance(current, list):
            current = current[int(name)]
        else:
            raise KeyError(name)
    return current


class _PlainVariable(Variable):
    def _resolve_lookup(self, context: Context) -> Any:
        assert self.lookups is not None
        try:
            return look_up(context, self.lookups)
        except (KeyError, ValueError, IndexError):
            raise VariableDoesNotExist("no %s", (self.var,))


class _Argument(_PlainVariable):
    """A filter's argument: Django takes a missing one for an error, where a missing variable is none."""

    def resolve(self, context: Any) -> Any:
        try:
            return super().resolve(context)
        except VariableDoesNotExist:
            return ""


class _PlainExpression(FilterExpression):
    def __init__(self, token: str, parser: Parser) -> None:
        super().__init__(token, parser)
        if self.is_var:
            self.var = _PlainVariable(self.var.var)
        self.filters = [
            (function, [(True, _Argument(arg.var)) if is_var else (is_var, arg) for is_var, arg in args])
            for function, args in self.filters
        ]

    def resolve(self, context: Context, ignore_failures: bool = False) -> Any:
        _spend(context, 1 + len(self.filters))
        return super().resolve(context, ignore_failures)

    def names(self) -> list[tuple[str, ...]]:
        """The dotted names that it looks up."""
        arguments = [arg for _, args in self.filters for is_var, arg in args if is_var]
        variables = [self.var, *arguments] if self.is_var else arguments
        return [variable.lookups for variable in variables if variable.lookups is not None]


class _Sequence(FilterExpression):
    """What a loop goes over: each turn costs."""

    def __init__(self, expression: FilterExpression) -> None:
        self.token, self._expression = expression.token, expression

    def resolve(self, context: Context, ignore_failures: bool = False) -> Any:
        values = self._expression.resolve(context, ignore_failures)
        values = values if isinstance(values, list | dict | str) else []
        _spend(context, len(values))
        return values


class _MeteredText(TextNode):
    def render_annotated(self, context: Context) -> str:
        _spend(context, len(self.s))
        return self.s


class _MeteredVariable(VariableNode):
    def render(self, context: Context) -> str:
        text = super().render(context)
        _spend(context, len(text))
        return text


class _Parser(Parser):
    """Puts the plain and metered parts in the place of Django's, and notes the names that are used."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.used: set[tuple[str, ...]] = set()
        self.made: set[str] = {"forloop", "True", "False", "None"}

    def compile_filter(self, token: str) -> FilterExpression:
        expression = _PlainExpression(token, self)
        self.used.update(expression.names())
        return expression

    def extend_nodelist(self, nodelist: NodeList, node: Node, token: Token) -> None:
        if isinstance(node, ForNode):
            self.made.update(node.loopvars)
            assert isinstance(node.sequence, FilterExpression)
            node.sequence = _Sequence(node.sequence)
        elif isinstance(node, WithNode):
            self.made.update(node.extra_context)
        elif isinstance(node, TextNode):
            node = _MeteredText(node.s)
        elif isinstance(node, VariableNode):
            node = _MeteredVariable(node.filter_expression)
        super().extend_nodelist(nodelist, node, token)


class _Engine(Engine):
    default_builtins = ["notifications.messages.vocabulary"]


_ENGINE: Final = _Engine(loaders=[], autoescape=False)


class PlainTemplate(Template):
    """A compiled template. ``unmade`` are the dotted names that it needs to be given.

    Raises:
        TemplateSyntaxError: with ``token``, whose ``lineno`` is the line.
    """

    unmade: frozenset[tuple[str, ...]]

    def __init__(self, source: str) -> None:
        super().__init__(source, origin=Origin("message"), engine=_ENGINE)

    def compile_nodelist(self) -> NodeList:
        parser = _Parser(Lexer(self.source).tokenize(), {}, self.engine.template_builtins, self.origin)
        nodelist = parser.parse()
        self.unmade = frozenset(names for names in parser.used if names[0] not in parser.made)
        return nodelist
