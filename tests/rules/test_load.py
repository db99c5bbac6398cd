"""Rule files: what a right one becomes, and where a wrong one is told to be wrong."""

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.device import Device
from rules.fields import PROBLEMS_MAX
from rules.load import FILE_BYTES_MAX, Book, built_in, load_book, load_text
from rules.spans import Span
from rules.spec import LOST, Group, Resolved, Rule

SAMPLE = Path(__file__).parent / "sample.toml"
TODAY = date(2026, 11, 1)
HEAD = '[rule.r]\ntitle_de = "R"\nkind = "state"\nselect = \'kind == "lamp"\'\n'
GROUP = "by = 'site'\nmin = 2\nshare = 0.5\n"
PLAIN = HEAD + "when = 'power_w > limit_w'\nparams = { limit_w = 5 }\n"


def sample() -> Book:
    return load_book([SAMPLE], TODAY)


def rule(text: str) -> Rule:
    book = load_text(text, TODAY)
    assert book.problems == []
    (only,) = book.rules.values()
    return only


def told(text: str) -> list[str]:
    return [f"{line}:{column}: {what}. Fix: {fix}" for _, line, column, _, what, fix in load_text(text, TODAY).problems]


def test_a_file_of_every_kind_of_rule_is_read_without_a_problem() -> None:
    book = sample()
    assert (book.problems, book.warnings) == ([], [])
    assert list(book.rules) == sorted(book.rules)
    assert {one.kind for one in book.rules.values()} == {
        "state", "count", "frozen", "schedule", "absence", "group", "event"
    }  # fmt: skip


def test_every_field_of_a_rule_is_where_it_belongs() -> None:
    lamp_out = sample().rules["lamp_out"]
    assert lamp_out.device_kinds == {"lamp"}
    assert (lamp_out.lasts, lamp_out.max_gap, lamp_out.late) == (Span(1200), Span(0, 6), Span(7200))
    assert lamp_out.group == Group("circuit", 3, 0.6)
    assert lamp_out.sooner is not None
    assert lamp_out.sooner.lasts == Span(60)
    assert (lamp_out.inhibited_by, lamp_out.talq, lamp_out.status) == (
        ("circuit_down",),
        "lampFailure",
        "defectiveLamp",
    )
    assert (lamp_out.source.file, lamp_out.source.line) == (str(SAMPLE), 14)
    assert (lamp_out.missing, lamp_out.hold, lamp_out.nights) == ("keep", Span(), 1)


def test_a_test_is_its_steps_with_what_was_not_reported_and_what_was_lost() -> None:
    (test,) = sample().rules["lamp_out"].tests
    (device,) = test.devices
    assert device.series["power_w"] == (40.0,) * 6 + (0.5,) * 4 + (None, LOST)
    assert [device.lost(step) for step in (10, 11)] == [False, True]
    assert (test.steps, test.step_ms, device.attributes) == (12, 900_000, {"nominal_w": 40.0})
    assert [(one.at_ms - test.start_ms, one.open) for one in test.expect] == [(6_300_000, False), (8_100_000, True)]


def test_params_come_from_the_device_before_the_model_before_the_rule() -> None:
    lamp_out = sample().rules["lamp_out"]

    def low_share(device_id: str, model: str, today: date = TODAY) -> Resolved:
        device = Device(device_id=device_id, kind="lamp", town="naunhof", model=model)
        return lamp_out.resolved(device, today)["low_share"]

    assert low_share("NAU-L2", "LED-60") == Resolved(0.25, "rule")
    assert low_share("NAU-L2", "LED-40") == Resolved(0.2, "model LED-40 (R. Vogt)")
    assert low_share("NAU-L00001", "LED-40") == Resolved(0.1, "device NAU-L00001 (R. Vogt)")
    assert low_share("NAU-L2", "LED-40", date(2027, 3, 1)).value == 0.2
    assert low_share("NAU-L2", "LED-40", date(2027, 3, 2)).value == 0.25


def test_an_override_that_has_ended_is_a_warning_and_the_rule_works_on() -> None:
    book = load_book([SAMPLE], date(2027, 3, 2))
    (warning,) = book.warnings
    assert (warning.line, warning.rule, warning.what) == (41, "lamp_out", "the override ended on 2027-03-01")
    assert "lamp_out" in book.rules
    assert book.problems == []


def test_the_hash_is_that_of_the_meaning() -> None:
    plain = rule(PLAIN)
    same = '# a comment\n[rule.r]\nparams = {limit_w=5.0}\nselect="""kind   == \'lamp\'"""\nkind="state"\n'
    same += 'when = "(power_w>limit_w)"  # another\ntitle_de="R"\nmin_samples = 1\n'
    test = '[[rule.r.test]]\nsays = "x"\nstart = 2026-01-10T18:00:00Z\nstep = "15m"\nseries = { power_w = "1" }\n'
    test += "expect = [{ at = 2026-01-10T18:00:00Z, open = false }]\n"
    assert rule(same).hash == plain.hash
    assert rule(PLAIN + test).hash == plain.hash
    assert plain.hash.startswith(plain.version)
    assert len(plain.version) == 12
    others = [PLAIN.replace("5", "6"), PLAIN.replace(">", ">="), PLAIN.replace('"R"', '"S"'), PLAIN + "nights = 2\n"]
    assert len({plain.hash, *(rule(other).hash for other in others)}) == 5


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ("whne = 'power_w > 1'", "7:1: there is no key whne here. Fix: did you mean when?"),
        ("within = '1h'", "7:1: there is no key within here"),
        ("where = 'pwer_w > 1'", "7:10: where: there is no pwer_w. Fix: did you mean power_w?"),
        ("where = 'power_w > voltage_v'", "7:20: where: W and V compared by >"),
        ('where = """\nsun_deg < 0\n  and power_w > low"""', "9:17: where: there is no low. Fix:"),
        ("where = 'power_w.real > 1'", "7:17: where: the character . is not allowed here"),
        ("where = 5", "7:9: where is 5. Fix: write an expression in quotes"),
        ("for = 20", '7:7: for is 20. Fix: write "90s"'),
        ("for = '20 minutes'", "7:7: for: '20 minutes' is no span of time"),
        ("for = '-20m'", "7:7: for: '-20m' is no span of time"),
        ("for = '500d'", "7:7: for: '500d' is longer than 400d"),
        ("max_gap = '0s'", "7:11: max_gap is no time at all"),
        ("min_samples = -1", "7:15: min_samples is -1. Fix: write a whole number 1 … 10000"),
        ("min_samples = 2.5", "7:15: min_samples is 2.5"),
        ("min_samples = true", "7:15: min_samples is True"),
        ("nights = 0", "7:10: nights is 0"),
        ("missing = 'kep'", "7:11: missing is 'kep'. Fix: did you mean keep?"),
        ("priority = 'urgent'", "7:12: priority is 'urgent'. Fix: expected one of high, immediate, low, normal"),
        ("talq = 'lampFailur'", "7:8: talq is 'lampFailur'. Fix: did you mean lampFailure?"),
        ("status = 'broken'", "7:10: status is 'broken'. Fix: did you mean brokenLantern?"),
        (
            "sentence_de = '{pwer_w} W'",
            "7:15: sentence_de names {pwer_w}, which is not known. Fix: did you mean power_w?",
        ),
        ("sentence_de = '{power_w:.1f}'", "7:15: sentence_de names {power_w} with a form"),
        ("sentence_de = '{power_w.real}'", "7:15: sentence_de names {power_w.real}, which is not known"),
        ("sentence_de = '{0.__class__}'", "7:15: sentence_de names {0.__class__}, which is not known"),
        ("sentence_de = '{power_w'", "7:15: sentence_de: "),
        ("sentence_de = 7", "7:15: sentence_de is 7. Fix: write a text in quotes"),
        ("inhibited_by = 'x'", "7:16: inhibited_by is 'x'. Fix: write a list of texts"),
        ("inhibited_by = ['q']", "7:16: there is no rule q to be inhibited by"),
        ("inhibited_by = ['r']", "7:16: inhibition in a circle: r → r"),
        ("group = { by = 'street', min = 3, share = 0.6 }", "7:16: by is 'street'"),
        ("group = { by = 'site', min = 3, share = 60 }", "7:41: share is 60. Fix: write a number 0 … 1"),
        ("group = { by = 'site', min = 3 }", "7:1: share is missing"),
        ("group = 3", "7:9: group is 3. Fix: write a table"),
        ("sooner = { for = '60s' }", "7:1: when is missing"),
        ("sooner = { when = 'x_w > 1' }", "7:20: when: there is no x_w"),
        ("override = 5", "7:12: override is 5"),
        ("test = 5", "7:8: test is 5"),
    ],
)
def test_what_is_wrong_in_a_rule_is_told_with_line_column_and_remedy(more: str, problem: str) -> None:
    (found,) = told(PLAIN + more + "\n")
    assert found.startswith(problem)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[rule.r]\nkind = 'state'\nwhen = 'sun_deg > 1'", "1:1: title_de is missing"),
        ("[rule.r]\ntitle_de = 'R'\nkind = 'stat'\nselect = 'True'", "3:8: kind is 'stat'. Fix: did you mean state?"),
        (HEAD, "1:1: when is missing. Fix: add it; a rule of kind state has it"),
        (HEAD.replace("state", "count") + "when = 'power_w > 1'", "1:1: clear is missing"),
        (HEAD.replace("state", "frozen") + "for = '6h'", "1:1: values is missing"),
        (HEAD.replace("state", "frozen") + "for = '6h'\nvalues = ['stay_s']", "6:10: devices of this rule report no"),
        (HEAD.replace("state", "frozen") + "for = '6h'\nvalues = []", "6:10: values is empty"),
        (HEAD.replace("state", "schedule") + "when = 'value < 1'", "1:1: value is missing"),
        (HEAD.replace("state", "absence"), "3:8: silence is judged by silent and never_reported alone"),
        (HEAD.replace(".r]", ".silent]").replace("state", "absence"), "1:1: absence lacks the params false_per_year"),
        (HEAD.replace("state", "absence") + "after = '30d'", "1:1: event is missing"),
        (HEAD.replace("state", "group"), "1:1: by is missing"),
        (HEAD.replace("state", "group") + GROUP, "1:1: nothing says what the group r looks at. Fix: add when"),
        (HEAD.replace("state", "group") + GROUP + "together = ['a']", "8:12: together names one rule"),
        (HEAD.replace("state", "group") + GROUP + "together = ['a', 'b']", "8:12: there is no rule a"),
        (
            HEAD.replace("state", "group") + GROUP + "when = 'power_w > 1'\ntogether = ['a', 'b']",
            "9:12: this group has",
        ),
        (
            HEAD + "when = 'power_w > 1'\ngroup = { by = 'site', min = 2, share = 0.5, becomes = 'b' }",
            "6:9: there is no",
        ),
        (HEAD.replace("state", "event") + "event = 'pres'", "5:9: event is 'pres'. Fix: did you mean press?"),
        (HEAD.replace("lamp", "lapm") + "when = 'sun_deg > 1'", "4:19: select: no kind is 'lapm'"),
        (HEAD.replace("[rule.r]", "[rule.R-1]") + "when = 'power_w > 1'", "1:1: ''R-1'' can't name a rule"),
        ("[rules.r]\n", "1:1: there is no table 'rules'"),
        ("rule = 5\n", "1:8: rule is no table"),
        ("[rule]\nr = 5\n", "2:1: rule.r is no table"),
        (HEAD + "when = 'power_w > 1'\nparams = { power_w = 1 }", "6:22: 'power_w' can't name a param, it names"),
        (HEAD + "when = 'power_w > 1'\nparams = { limit_w = '1' }", "6:22: limit_w is '1'. Fix: write a number"),
        (HEAD + "when = 'power_w > 1'\nparams = { limit_w = nan }", "6:22: limit_w is nan. Fix: write a number"),
        (HEAD + "when = 'power_w > 1'\nparams = { limit_w = 1e300 }", "6:22: limit_w is 1e+300"),
        (HEAD + "when = 'power_w > 1'\nparams = { and = 1 }", "6:18: 'and' can't name a param"),
    ],
)
def test_what_a_kind_lacks_is_told(text: str, problem: str) -> None:
    assert any(one.startswith(problem) for one in told(text)), told(text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "params = { limit_w = 6 }\nauthor = 'a'\nreason = 'b'",
            "8:10: an override for nothing. Fix: name exactly one",
        ),
        (
            "model = 'x'\ntown = 'naunhof'\nparams = {}\nauthor = 'a'\nreason = 'b'",
            "9:8: an override for model and town",
        ),
        ("town = 'leipzig'\nparams = {}\nauthor = 'a'\nreason = 'b'", "8:8: town is 'leipzig'"),
        (
            "model = 'x'\nparams = { limit = 6 }\nauthor = 'a'\nreason = 'b'",
            "9:20: the rule has no param 'limit'. Fix: did",
        ),
        ("model = 'x'\nparams = { limit_w = 'a' }\nauthor = 'a'\nreason = 'b'", "9:22: limit_w is 'a'"),
        ("model = 'x'\nparams = {}\nreason = 'b'", "7:1: author is missing"),
        ("model = 'x'\nparams = {}\nauthor = ' '\nreason = 'b'", "10:10: author is empty"),
        ("model = 'x'\nparams = {}\nauthor = 'a'\nreason = 'b'\nuntil = '2027-03-01'", "12:9: until is '2027-03-01'"),
        ("model = 'x'\nparams = {}\nauthor = 'a'\nreason = 'b'\nuntil = 2027-03-01T00:00:00", "12:9: until is"),
    ],
)
def test_an_override_says_for_whom_what_who_and_why(text: str, problem: str) -> None:
    (found,) = told(f"{PLAIN}[[rule.r.override]]\n{text}\n")
    assert found.startswith(problem)


TEST = {
    "says": '"x"',
    "start": "2026-01-10T18:00:00Z",
    "step": '"15m"',
    "series": '{ power_w = "1x4" }',
    "expect": "[{ at = 2026-01-10T18:30:00Z, open = false }]",
}


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        (
            {"start": '"2026-01-10T18:00:00Z"'},
            "9:9: start is '2026-01-10T18:00:00Z'. Fix: write an instant with its zone",
        ),
        ({"start": "2026-01-10T18:00:00"}, "9:9: start is 2026-01-10 18:00:00"),
        ({"step": '"0s"'}, "10:8: the step is no fixed time"),
        ({"step": '"1 * interval"'}, "10:8: the step is no fixed time"),
        ({"series": '{ pwer_w = "1" }'}, "11:21: devices of this rule report no pwer_w. Fix: did you mean power_w?"),
        ({"series": '{ power_w = "1y4" }'}, "11:22: power_w: '1y4' is no step"),
        ({"series": '{ power_w = "1x0" }'}, "11:22: power_w: '1x0' is no step"),
        ({"series": '{ power_w = "1x999999" }'}, "11:22: power_w: '1x999999' is no step"),
        ({"series": '{ power_w = "press" }'}, "11:22: power_w: 'press' is no number"),
        (
            {"series": '{ power_w = "1x4", dim_pct = "1x3" }'},
            "11:10: series of different lengths: power_w 4, dim_pct 3",
        ),
        ({"series": "{}"}, "11:10: there is no series"),
        ({"expect": "[]"}, "12:10: the test expects nothing"),
        ({"expect": "[{ at = 2026-01-10T19:30:00Z, open = false }]"}, "12:18: this instant lies outside of the series"),
        ({"expect": "[{ at = 2026-01-10T17:30:00Z, open = false }]"}, "12:18: this instant lies outside of the series"),
        ({"expect": "[{ at = 2026-01-10T18:30:00Z, open = 1 }]"}, "12:47: open is 1"),
        ({"expect": "[{ at = 2026-01-10T18:30:00Z }]"}, "12:11: open is missing"),
        ({"device": "{ nominal = 40 }"}, "13:12: there is no key nominal here. Fix: did you mean nominal_w?"),
        ({"device": "{ nominal_w = '40' }"}, "13:24: nominal_w is '40'"),
    ],
)
def test_a_test_that_proves_nothing_is_refused(changed: dict[str, str], problem: str) -> None:
    lines = "\n".join(f"{key} = {value}" for key, value in (TEST | changed).items())
    found = told(f"{PLAIN}[[rule.r.test]]\n{lines}\n")
    assert any(one.startswith(problem) for one in found), found


def test_a_broken_rule_is_left_out_and_all_others_go_on(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(PLAIN + "[rule.s]\nkind = 'state'\n")
    (tmp_path / "b.toml").write_text("this is no TOML")
    (tmp_path / "c.toml").write_bytes(b"\n# \xff\n")
    (tmp_path / "d.toml").write_text(PLAIN.replace("rule.r", "rule.t") + 'inhibited_by = ["s", "r"]\n')
    (tmp_path / "e.toml").write_text("#" * (FILE_BYTES_MAX + 1))
    (tmp_path / "f.toml").write_text("x = " + "[" * 5_000)
    (tmp_path / "g.toml").write_text("x = " + "9" * 5_000)
    (tmp_path / "no-rules.txt").write_text("nothing")
    book = load_book([tmp_path], TODAY)
    assert list(book.rules) == ["r", "t"]
    assert {Path(one.file).name for one in book.problems} == {"a.toml", *(f"{x}.toml" for x in "bcefg")}
    places = {Path(one.file).name: (one.line, one.column) for one in book.problems}
    assert (places["b.toml"], places["c.toml"], places["e.toml"]) == ((1, 6), (2, 1), (0, 0))


def test_all_problems_of_a_rule_are_told_at_once() -> None:
    assert len(told(HEAD + "when = 'power_v > 1'\nfor = '5'\nmin_samples = 0\nfoo = 1\n")) == 4


def test_a_file_of_nothing_but_problems_ends_soon_and_others_go_on(tmp_path: Path) -> None:
    wrong, right = tmp_path / "a.toml", tmp_path / "b.toml"
    wrong.write_text(HEAD + "when = 'power_w > 1'\n" + "".join(f"wehn{number} = 1\n" for number in range(50_000)))
    right.write_text(PLAIN.replace("rule.r", "rule.s") + "inhibited_by = ['r']\n")
    book = load_book([wrong, right], TODAY)
    assert list(book.rules) == ["s"]
    assert len(book.problems) == PROBLEMS_MAX + 1
    assert book.problems[0].what.startswith(f"more than {PROBLEMS_MAX} problems")


def test_of_two_rules_with_one_name_the_second_is_told(tmp_path: Path) -> None:
    one, two = tmp_path / "one.toml", tmp_path / "two.toml"
    one.write_text(PLAIN)
    two.write_text("\n" + PLAIN.replace("5", "6"))
    book = load_book([one, two, one], TODAY)
    (problem,) = book.problems
    assert (problem.file, problem.line) == (str(two), 2)
    assert problem.what == f"there is a rule r already, in {one} line 1"
    assert book.rules["r"].params["limit_w"].value == 5


def test_a_circle_of_inhibition_is_named_and_only_its_rules_stop() -> None:
    text = "".join(
        PLAIN.replace("rule.r", f"rule.{name}") + f'inhibited_by = ["{by}"]\n'
        for name, by in (("a", "b"), ("b", "c"), ("c", "a"), ("d", "a"))
    )
    book = load_text(text, TODAY)
    assert list(book.rules) == ["d"]
    assert [(one.rule, one.line, one.what) for one in book.problems] == [
        ("a", 7, "inhibition in a circle: a → b → c → a"),
        ("b", 14, "inhibition in a circle: b → c → a → b"),
        ("c", 21, "inhibition in a circle: c → a → b → c"),
    ]


def test_a_rule_inhibited_by_a_broken_one_works_on() -> None:
    book = load_text(PLAIN + 'inhibited_by = ["s"]\n[rule.s]\nkind = "state"\n', TODAY)
    assert list(book.rules) == ["r"]


def test_a_group_of_silent_devices_has_params_instead() -> None:
    params = "params = { false_per_year = 0.1, members_min = 3, members_share = 0.6 }"
    assert rule(HEAD.replace(".r]", ".circuit_down]").replace("state", "group") + params).group is None
    assert told(HEAD.replace("state", "group") + params.replace("members_min", "members"))[0].startswith("1:1: by is")


def test_windows_line_ends_do_not_move_a_place() -> None:
    text = (PLAIN + "where = '''\nsun_deg < 0 and pwer_w > 1'''\n").replace("\n", "\r\n")
    assert told(text)[0].startswith("8:17: where: there is no pwer_w")


def test_the_rules_that_come_with_the_platform_are_right() -> None:
    assert built_in(TODAY).problems == []


@given(st.text(max_size=80))
def test_any_text_is_a_book_or_a_problem(text: str) -> None:
    book = load_text(text.encode(errors="ignore").decode(), TODAY)
    assert book.rules == {}


@given(st.integers(0, 2_000), st.sampled_from(list("\"'[]{}=.#\n x0é\\")))
def test_a_file_with_one_wrong_character_never_raises_and_places_lie_in_it(at: int, wrong: str) -> None:
    text = SAMPLE.read_text(encoding="utf-8")
    broken = text[:at] + wrong + text[at + 1 :]
    lines = broken.split("\n")
    for problem in load_text(broken, TODAY).problems:
        assert 0 <= problem.line <= len(lines)
        assert problem.column <= len(lines[problem.line - 1]) + 1
