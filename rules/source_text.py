"""A tree as it would be written in a rule file: for explanations, which show each condition beside its numbers."""

from __future__ import annotations

from rules.expression import And, Arithmetic, Call, Compare, Name, Negative, Node, Not, Number, Or, Text, Texts, Truth

_OR, _AND, _NOT, _COMPARE, _SUM, _PRODUCT, _SIGN, _ATOM = range(8)


def source_of(node: Node) -> str:
    """The text; parsing it gives the same tree, but for columns."""
    return _written(node)[0]


def _written(node: Node) -> tuple[str, int]:
    """The text and how tightly it holds together."""
    match node:
        case Or(parts=parts) | And(parts=parts):
            word, level = (" or ", _OR) if isinstance(node, Or) else (" and ", _AND)
            return word.join(_within(part, level + 1) for part in parts), level
        case Not(operand=operand) | Negative(operand=operand):
            sign, level = ("not ", _NOT) if isinstance(node, Not) else ("-", _SIGN)
            return f"{sign}{_within(operand, level)}", level
        case Compare(operator=operator, left=left, right=right):
            return f"{_within(left, _SUM)} {operator} {_within(right, _SUM)}", _COMPARE
        case Arithmetic(operator=operator, left=left, right=right):
            level = _SUM if operator in "+-" else _PRODUCT
            return f"{_within(left, level)} {operator} {_within(right, level + 1)}", level
        case Call(function=function, arguments=arguments):
            return f"{function}({', '.join(source_of(each) for each in arguments)})", _ATOM
    return _leaf(node), _ATOM


def _leaf(node: Node) -> str:
    match node:
        case Number(value=value):
            return f"{value:.15g}"
        case Truth(value=is_true):
            return str(is_true)
        case Text(text=text):
            return f'"{text}"'
        case Texts(items=items):
            quoted = [f'"{item}"' for item in items]
            return f"[{', '.join(quoted)}]"
        case Name(name=name):
            return name
    raise AssertionError(f"{node} is no leaf")


def _within(node: Node, level: int) -> str:
    text, own = _written(node)
    return text if own >= level else f"({text})"
