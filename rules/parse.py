"""Reading an expression of the rule language.

A text is first cut into the few tokens there are, so that nothing else ever reaches Python's parser; of the parser's
tree only what stands in a list here is taken over into ours (rules/expression.py). Python executes nothing of it.
There are no attributes, subscripts, powers, lambdas, comprehensions, keywords, f-strings, and no other functions.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from rules.expression import (
    And,
    Arithmetic,
    Call,
    Compare,
    ExpressionError,
    Name,
    Negative,
    Node,
    Not,
    Number,
    Or,
    Text,
    Texts,
    Truth,
)
from rules.vocabulary import FUNCTIONS, nearest

CHARS_MAX = 1_000
DEPTH_MAX = 20
NODES_MAX = 200
NUMBER_MAX = 1e15

ARITHMETIC: dict[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.In: "in",
    ast.NotIn: "not in",
}
ALLOWED = "comparisons, and, or, not, + - * /, numbers, names and the functions " + ", ".join(FUNCTIONS)

_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+)
      | (?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)(?![\w.])
      | (?P<name>[A-Za-z_]\w*)(?!["'\w])
      | (?P<text>"[^"\\\x00-\x1f\x7f]*"|'[^'\\\x00-\x1f\x7f]*')(?!["'])
      | (?P<sign><=|>=|==|!=|[-+*/<>(),\[\]])""",
    re.ASCII | re.VERBOSE,
)
_HINTS = {
    ".": "attributes can't be reached into; a number is written 0.5",
    "=": "compare with ==; named arguments and assignments don't exist",
    ":": "there are no lambdas, slices and assignments",
    "%": "write the share as a number, e.g. 0.25",
    "#": "write the comment outside of the quotes, as a TOML comment",
    "&": "write `and`",
    "|": "write `or`",
    "!": "write `not`",
    "\\": "leave the backslash out; a long expression goes between three quotes",
}


def parse(source: str) -> Node:
    """The tree of one expression. Raises ExpressionError, whatever the text is."""
    if len(source) > CHARS_MAX:
        fix = "make two rules of it, or name parts of it as params"
        raise ExpressionError(CHARS_MAX + 1, f"longer than {CHARS_MAX} characters ({len(source)})", fix)
    _check_tokens(source)
    line = re.sub(r"[\r\n\t]", " ", source)
    indent = len(line) - len(line.lstrip(" "))
    try:
        tree = ast.parse(line[indent:], mode="eval").body
    except SyntaxError as error:
        column = min(indent + (error.offset or 1), len(source) + 1)
        raise ExpressionError(column, f"this is no expression ({error.msg})", f"allowed are {ALLOWED}") from None
    except (RecursionError, MemoryError, ValueError):
        raise _too_deep(1) from None
    return _Reader(line[indent:].encode(), indent).node(tree)


def _too_deep(column: int) -> ExpressionError:
    return ExpressionError(column, f"nested deeper than {DEPTH_MAX}", "take parentheses out, or make two rules of it")


def _check_tokens(source: str) -> None:
    place, depth, before = 0, 0, ""
    while place < len(source):
        match = _TOKEN.match(source, place)
        if match is None:
            raise _no_token(source, place)
        kind, token = str(match.lastgroup), match.group()
        if kind == before == "text":
            raise ExpressionError(place + 1, "two texts in a row", "put a comma between them")
        before = before if kind == "space" else kind
        depth += (token in ("(", "[")) - (token in (")", "]"))
        if depth > DEPTH_MAX:
            raise _too_deep(place + 1)
        place = match.end()
    if not before:
        raise ExpressionError(1, "empty", "write a comparison, e.g. power_w > 5, or leave the key out")


def _no_token(source: str, place: int) -> ExpressionError:
    found = source[place]
    if found in "\"'":
        fix = "close the quotes; a text holds no quotes, backslashes and line breaks"
        return ExpressionError(place + 1, "a text that does not end, or two in a row", fix)
    word = None if found == "." else re.match(r"[\w.]+[\"']?", source[place:], re.ASCII)
    if word and len(word.group()) > 1:
        shown = word.group()[:40]
        fix = "a number is 20 or 0.5, a name begins with a letter, a text has no letter before its quotes"
        return ExpressionError(place + 1, f"'{shown}' is neither number nor name nor text", fix)
    shown = found if found.isascii() and found.isprintable() else f"U+{ord(found):04X}"
    return ExpressionError(place + 1, f"the character {shown} is not allowed here", _HINTS.get(found, ALLOWED))


@dataclass
class _Reader:
    """Takes the parser's tree over into ours. `line` is what the parser read, `indent` what stood before it."""

    line: bytes
    indent: int
    count: int = 0

    def node(self, node: ast.expr, depth: int = 1, text: bool = False) -> Node:
        """Our node for the parser's; `text` = a text in quotes may stand here."""
        column = self.column(node)
        self.count += 1
        if depth > DEPTH_MAX:
            raise _too_deep(column)
        if self.count > NODES_MAX:
            raise ExpressionError(column, f"more than {NODES_MAX} parts", "make two rules of it")
        match node:
            case ast.Constant():
                return self.constant(node, text)
            case ast.Name(id=name):
                return Name(name, column)
            case ast.Call():
                return self.call(node, depth)
            case ast.Compare():
                return self.compare(node, depth)
            case ast.BoolOp(op=operator, values=values):
                parts = tuple(self.node(value, depth + 1) for value in values)
                return And(parts, column) if isinstance(operator, ast.And) else Or(parts, column)
        return self.arithmetic(node, depth)

    def column(self, node: ast.expr) -> int:
        """Where a node begins: characters from 1 (the parser counts bytes)."""
        return len(self.line[: node.col_offset].decode(errors="ignore")) + self.indent + 1

    def constant(self, node: ast.Constant, text: bool) -> Node:
        """A number, a text, True or False."""
        column, value = self.column(node), node.value
        if isinstance(value, bool):
            return Truth(value, column)
        if isinstance(value, int | float):
            if not abs(value) <= NUMBER_MAX:
                raise ExpressionError(column, "the number is too big", f"numbers lie within ±{NUMBER_MAX:g}")
            return Number(float(value), column)
        if isinstance(value, str):
            if text:
                return Text(value, column)
            fix = 'texts stand in select = \'kind == "lamp"\' and in changes(occupied, "1h")'
            raise ExpressionError(column, "a text can't stand here", fix)
        raise ExpressionError(column, f"{value!r} is not allowed", f"allowed are {ALLOWED}")

    def call(self, node: ast.Call, depth: int) -> Node:
        """One of our functions with as many arguments as it takes."""
        column = self.column(node)
        if not isinstance(node.func, ast.Name):
            raise ExpressionError(column, "only functions of the language can be called", nearest("", FUNCTIONS))
        name = node.func.id
        if name not in FUNCTIONS:
            raise ExpressionError(column, f"there is no function {name}", nearest(name, FUNCTIONS))
        function = FUNCTIONS[name]
        if node.keywords:
            raise ExpressionError(column, f"{name} takes no named arguments", f"write {function.usage}")
        if not function.least <= len(node.args) <= function.most:
            raise ExpressionError(column, f"{name} does not take {len(node.args)} arguments", f"write {function.usage}")
        return Call(name, tuple(self.node(one, depth + 1, text=True) for one in node.args), column)

    def compare(self, node: ast.Compare, depth: int) -> Node:
        """One comparison, or the And of a chain's pairs."""
        column, pairs, left = self.column(node), [], node.left
        for operator, right in zip(node.ops, node.comparators, strict=True):
            pairs.append(self.pair(COMPARISONS.get(type(operator), ""), left, right, depth))
            left = right
        return pairs[0] if len(pairs) == 1 else And(tuple(pairs), column)

    def pair(self, sign: str, left: ast.expr, right: ast.expr, depth: int) -> Node:
        """One comparison with its sign in words."""
        column = self.column(left)
        if not sign:
            raise ExpressionError(column, "`is` is not allowed", "compare with == or !=")
        if sign in ("in", "not in"):
            inside = Compare("in", self.node(left, depth + 1, text=True), self.texts(right), column)
            return inside if sign == "in" else Not(inside, column)
        text = sign in ("==", "!=")
        return Compare(sign, self.node(left, depth + 1, text), self.node(right, depth + 1, text), column)

    def texts(self, node: ast.expr) -> Texts:
        """What stands right of `in`: texts in parentheses or brackets."""
        found = node.elts if isinstance(node, ast.Tuple | ast.List) else []
        self.count += len(found)
        items = tuple(one.value for one in found if isinstance(one, ast.Constant) and isinstance(one.value, str))
        if not items or len(items) != len(found):
            fix = 'write a list of texts, e.g. kind in ("lamp", "cabinet") or kind in ["lamp"]'
            raise ExpressionError(self.column(node), "right of `in` stands no list of texts", fix)
        return Texts(items, self.column(node))

    def arithmetic(self, node: ast.expr, depth: int) -> Node:
        """+ - * /, a minus, a not; everything else is refused by its name."""
        column = self.column(node)
        match node:
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return Not(self.node(operand, depth + 1), column)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                inner = self.node(operand, depth + 1)
                return Number(-inner.value, column) if isinstance(inner, Number) else Negative(inner, column)
            case ast.BinOp(left=left, op=operator, right=right) if type(operator) in ARITHMETIC:
                sign = ARITHMETIC[type(operator)]
                return Arithmetic(sign, self.node(left, depth + 1), self.node(right, depth + 1), column)
        what = type(node.op).__name__ if isinstance(node, ast.BinOp | ast.UnaryOp) else type(node).__name__
        raise ExpressionError(column, f"{what} is not part of the language", f"allowed are {ALLOWED}")
