"""The shape of the code itself: sizes, fences and leftovers that no linter we use looks for."""

import ast
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

from tests.support.project import (
    ROOT,
    imported_names,
    module_name,
    product_files,
    project_files,
    python_files,
    settings,
    string_constants,
    text_files,
    tree,
)

FILE_LINES_MAX = 300
TEST_FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 40
BROAD_EXCEPTS_MAX = 4
BINARY_BYTES_MAX = 1_000_000

WALL_CLOCK = {
    "time.time",
    "time.time_ns",
    "datetime.now",
    "datetime.utcnow",
    "datetime.today",
    "date.today",
}
MAY_ASK_THE_WALL_CLOCK = {Path("core/clock.py"), Path("firmware_sim/runner.py")}
MAY_PRINT = ("deploy/", "firmware_sim/cli.py", "tests/bench/")
SUPERVISES = "supervising loop:"

# Put together from pieces, so that this file does not find itself.
LEFTOVER = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")
REGISTRY_HOST = re.compile(
    r"(py" + r"pi|python" + r"hosted)\.org|registry\.npm" + r"js|proxy\.go" + r"lang|crates" + r"\.io|deb\.deb" + r"ian"
)
MACHINE_PATH = re.compile(r"(?<![\w.~$}/:])/(wo" + r"rk|tm" + r"p|ro" + r"ot|ho" + r"me|Us" + r"ers)/\w")


def test_no_file_is_longer_than_a_reader_keeps_in_mind() -> None:
    def limit(path: Path) -> int:
        return TEST_FILE_LINES_MAX if path.parts[0] == "tests" else FILE_LINES_MAX

    lines = {path: len((ROOT / path).read_text(encoding="utf-8").splitlines()) for path in python_files()}
    assert {str(path): count for path, count in lines.items() if count > limit(path)} == {}


def test_no_function_is_longer_than_a_screen() -> None:
    too_long = {
        f"{path}:{node.lineno} {node.name}": length
        for path in python_files()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or node.lineno) - node.lineno + 1) > FUNCTION_LINES_MAX
    }
    assert too_long == {}


def test_only_the_clock_and_the_simulators_runner_ask_the_wall_clock() -> None:
    found = [where for path in python_files() if path not in MAY_ASK_THE_WALL_CLOCK for where in wall_clock_uses(path)]
    assert found == []


def test_broad_excepts_stand_only_in_a_few_supervising_loops_that_say_why() -> None:
    broad = [(path, node) for path in product_files() for node in broad_excepts(path)]
    unmarked = [f"{path}:{node.lineno}" for path, node in broad if not says_why_it_supervises(path, node)]
    assert unmarked == []
    assert len(broad) <= BROAD_EXCEPTS_MAX, [f"{path}:{node.lineno}" for path, node in broad]


def test_imports_are_absolute() -> None:
    relative = [
        f"{path}:{node.lineno}"
        for path in python_files()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert relative == []


def test_nothing_is_left_for_later_in_the_code() -> None:
    code = {".py", ".sh", ".toml", ".yaml", ".yml", ".js", ".css", ".html", ".service", ""}
    found = [
        f"{path}:{number} {line.strip()}"
        for path, text in text_files()
        if path.suffix in code
        for number, line in enumerate(text.splitlines(), 1)
        if LEFTOVER.search(line)
    ]
    assert found == []


def test_only_commands_and_benchmarks_print() -> None:
    found = [
        f"{path}:{node.lineno}"
        for path in python_files()
        if not path.as_posix().startswith(MAY_PRINT)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert found == []


def test_every_folder_with_python_is_listed_for_the_wheel() -> None:
    folders = {path.parts[0] for path in product_files()}
    assert folders == set(settings()["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])


def test_the_wheel_holds_every_file_of_the_product(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", str(tmp_path), str(ROOT)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    folders = set(settings()["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])
    assert packed == {path.as_posix() for path in project_files() if path.parts[0] in folders}


def test_every_module_is_imported_somewhere_or_is_an_entry_point() -> None:
    used = {entry.split(":")[0] for entry in settings()["project"]["scripts"].values()}
    for path in product_files():
        used |= {name for name in imported_names(path) | string_constants(path) if name != module_name(path)}
    modules = {
        module_name(path)
        for path in product_files()
        # alembic finds what lies in the folder of migrations by itself.
        if path.name not in {"__init__.py", "__main__.py"} and "migrations" not in path.parts
    }
    assert modules - {name.split(":")[0] for name in used} == set()


def test_every_test_helper_is_used() -> None:
    support = {path for path in python_files() if path.is_relative_to("tests/support")}
    used: set[str] = set()
    for path in python_files():
        used |= imported_names(path)
    helpers = {module_name(path) for path in support if not path.name.startswith("test_")}
    assert helpers - used == set()


def test_no_file_names_a_package_registry_or_a_path_of_one_machine() -> None:
    found = [
        f"{path}:{number} {match.group()}"
        for path, text in text_files()
        for number, line in enumerate(text.splitlines(), 1)
        for match in (REGISTRY_HOST.search(line), MACHINE_PATH.search(line))
        if match
    ]
    assert found == []


def test_every_decision_is_in_the_index() -> None:
    pages = {path.name for path in project_files() if path.parent == Path("docs/decisions")} - {"README.md"}
    index = (ROOT / "docs/decisions/README.md").read_text(encoding="utf-8")
    assert pages == set(re.findall(r"\]\(([^)/]+\.md)\)", index))


def test_no_big_binary_is_kept_in_the_project() -> None:
    texts = {path for path, _ in text_files()}
    sizes = {str(path): (ROOT / path).stat().st_size for path in project_files() if path not in texts}
    assert {path: size for path, size in sizes.items() if size > BINARY_BYTES_MAX} == {}


def wall_clock_uses(path: Path) -> Iterator[str]:
    """Where a file reaches for the wall clock, called or only passed on: `file:line name`."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Attribute) and ".".join(ast.unparse(node).split(".")[-2:]) in WALL_CLOCK:
            yield f"{path}:{node.lineno} {ast.unparse(node)}"
        elif isinstance(node, ast.ImportFrom) and node.module == "time":
            names = {alias.name for alias in node.names} & {"time", "time_ns"}
            yield from (f"{path}:{node.lineno} from time import {name}" for name in names)


def broad_excepts(path: Path) -> Iterator[ast.ExceptHandler]:
    """Every `except` that catches any error and does not end by raising it again."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ExceptHandler) and not isinstance(node.body[-1], ast.Raise):
            caught = "BaseException" if node.type is None else ast.unparse(node.type)
            if re.search(r"\b(Base)?Exception\b", caught):
                yield node


def says_why_it_supervises(path: Path, node: ast.ExceptHandler) -> bool:
    """True when the line of an `except` carries the marker and a reason after it."""
    line = (ROOT / path).read_text(encoding="utf-8").splitlines()[node.lineno - 1]
    return bool(line.partition(SUPERVISES)[2].strip())
