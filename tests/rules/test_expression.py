"""The language of the rule files: what it takes, and that nothing else gets in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.expression import (
    And,
    Arithmetic,
    Call,
    Compare,
    ExpressionError,
    Name,
    Negative,
    Not,
    Number,
    Or,
    names,
    walk,
)
from rules.expression import Text as TextNode
from rules.expression import Texts as TextsNode
from rules.expression import Truth as TruthNode
from rules.parse import CHARS_MAX, DEPTH_MAX, NODES_MAX, parse

ESCAPES = [
    "().__class__.__bases__[0].__subclasses__()",
    "power_w.__class__",
    "power_w .real",
    "9**9**9",
    "power_w ** 2 > 4",
    "2 // power_w",
    "power_w % 2",
    '"a"*10**9',
    '"a" + "b" == model',
    'f"{power_w}" == model',
    "rf'{power_w}'",
    "b'a' == model",
    "(x := 1) > 0",
    "lambda: 1",
    "(lambda x: x)(1)",
    "[w for w in power_w]",
    "{w for w in power_w}",
    "{1: 2}",
    "(w for w in power_w)",
    "known(w for w in power_w)",
    "power_w[0]",
    "[1, 2][0]",
    "(1, 2)",
    "[power_w]",
    "__import__('os')",
    "__builtins__['eval']('1')",
    "eval('1')",
    "print(power_w)",
    "getattr(power_w, 'real')",
    "(abs)(power_w)(1)",
    "abs(*power_w)",
    "abs(**power_w)",
    "abs(x=1)",
    "abs()",
    "abs(1, 2)",
    "min(1)",
    "median_of(power_w)",
    "1 if power_w else 2",
    "(yield power_w)",
    "await power_w",
    "power_w is 1",
    "power_w is not None",
    "None",
    "...",
    "1j",
    "0x10 > 1",
    "1_000 > 1",
    "~power_w",
    "+power_w",
    "power_w & 1",
    "power_w | 1",
    "power_w << 1",
    "power_w @ 1",
    "power_w; power_w",
    "power_w = 1",
    "power_w > 1 # really",
    "power_w > \\\n 1",
    "power_w > 1`",
    "power_w $ 1",
    "power_w > 1 power_w",
    "power_w >",
    "> 1",
    "(power_w",
    "power_w)",
    "import os",
    "del power_w",
    "",
    "  \n\t ",
    "power_w > 1\0",
    "'\0' == model",
    "ｐower_w > 1",
    "рower_w > 1",
    "power_w > ５",
    "power_w\u200b > 1",
    "power_w\u00a0> 1",
    "power_w > 1\f",
    "9" * 400 + " > 1",
    "power_w > " + "1" + "0" * 400,
    "power_w > 1e400",
    "power_w > 1e16",
    "model == 'a' 'b'",
    'model == """a"""',
    "model == 'a",
    "model == 'a\\'b'",
    "model in 'abc'",
    "model in (power_w,)",
    "model in ()",
    "model in [x for x in y]",
    "'a' < model",
    "not 'a'",
    "'a' and 'b'",
    "-'a'",
]


@pytest.mark.parametrize("source", ESCAPES)
def test_what_is_not_in_the_language_is_refused_with_its_column_and_a_remedy(source: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(source)
    assert 1 <= caught.value.column <= len(source) + 1
    assert caught.value.what
    assert caught.value.fix


@pytest.mark.parametrize(
    "source",
    [
        "(" * 10_000 + "1" + ")" * 10_000,
        "(" * 10_000,
        "(" * 450 + "1" + ")" * 450,
        "[" * 900,
        "not " * 240 + "power_w",
        "-" * 900 + "1",
        "abs(" * 199 + "1" + ")" * 199,
        "+".join("1" * 400),
        "1 < " * 240 + "1",
        "x" * 10_000_000,
        "((" * 5_000_000,
    ],
)
def test_depth_and_size_end_in_our_error_whatever_they_are(source: str) -> None:
    with pytest.raises(ExpressionError):
        parse(source)


def test_the_limits_themselves_are_inside() -> None:
    deep = "(" * DEPTH_MAX + "power_w > 1" + ")" * DEPTH_MAX
    assert parse(deep) == Compare(">", Name("power_w", DEPTH_MAX + 1), Number(1.0, DEPTH_MAX + 11), DEPTH_MAX + 1)
    assert len(list(walk(parse(" or ".join(["a > 1"] * 66))))) == NODES_MAX - 1
    assert parse("a > 1".ljust(CHARS_MAX)) == parse("a > 1")
    with pytest.raises(ExpressionError, match="more than 200 parts"):
        parse(" or ".join(["a > 1"] * 67))


@pytest.mark.parametrize("word", ["nan", "inf", "NaN", "infinity", "Infinity"])
def test_not_a_number_and_infinity_are_names_like_any_other(word: str) -> None:
    assert parse(f"a > {word}") == Compare(">", Name("a", 1), Name(word, 5), 1)


def test_a_rule_as_it_stands_in_the_files_becomes_a_tree_with_columns() -> None:
    tree = parse("power_w < low_share * expected_w or lamp_failure == 1")
    share = Arithmetic("*", Name("low_share", 11), Name("expected_w", 23), 11)
    low = Compare("<", Name("power_w", 1), share, 1)
    assert tree == Or((low, Compare("==", Name("lamp_failure", 37), Number(1.0, 53), 37)), 1)
    assert names(tree) == {"power_w", "low_share", "expected_w", "lamp_failure"}


def test_every_part_of_the_language_is_taken() -> None:
    assert parse("not a > -1") == Not(Compare(">", Name("a", 5), Number(-1.0, 9), 5), 1)
    assert parse("-a < .5e1") == Compare("<", Negative(Name("a", 2), 1), Number(5.0, 6), 1)
    assert parse("True") == TruthNode(True, 1)
    span = Call("changes", (Name("occupied", 9), TextNode("1h", 19)), 1)
    assert parse('changes(occupied, "1h") > 3') == Compare(">", span, Number(3.0, 27), 1)
    assert parse("kind in ('lamp', \"sos\")") == Compare("in", Name("kind", 1), TextsNode(("lamp", "sos"), 9), 1)
    assert parse("kind not in ['lamp']") == Not(Compare("in", Name("kind", 1), TextsNode(("lamp",), 13), 1), 1)
    assert parse("street == 'Große Straße'") == Compare("==", Name("street", 1), TextNode("Große Straße", 11), 1)


def test_a_chain_is_the_and_of_its_pairs() -> None:
    low, high = Compare("<", Number(1.0, 1), Name("a", 5), 1), Compare("<=", Name("a", 5), Number(3.0, 10), 5)
    assert parse("1 < a <= 3") == And((low, high), 1)


def test_lines_and_blanks_around_it_do_not_matter_and_columns_count_them() -> None:
    assert parse("\n  a > 1\n  and b > 2\n") == And(
        (Compare(">", Name("a", 4), Number(1.0, 8), 4), Compare(">", Name("b", 16), Number(2.0, 20), 16)), 4
    )


def test_columns_count_characters_and_not_bytes() -> None:
    tree = parse("street == 'Großpösna' and nominal_w > 5")
    assert isinstance(tree, And)
    assert tree.parts[1].column == 27


def test_a_word_that_is_nearly_a_function_is_told_the_function() -> None:
    with pytest.raises(ExpressionError, match=r"there is no function chnages\. Fix: did you mean changes"):
        parse("chnages(occupied, '1h') > 3")


@given(st.text(max_size=60))
def test_any_text_gives_a_tree_or_our_error(source: str) -> None:
    outcome = tree_or_error(source)
    assert outcome is not None


@given(st.text(alphabet="ab1.<>=!()[]+-*/,'\" \nnotandori", max_size=60))
def test_any_mix_of_the_allowed_characters_gives_a_tree_or_our_error(source: str) -> None:
    assert tree_or_error(source) is not None


def tree_or_error(source: str) -> object:
    try:
        return parse(source)
    except ExpressionError as error:
        return error
