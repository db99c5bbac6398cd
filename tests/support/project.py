"""The project looked at from outside, for the tests of its own shape: files, syntax trees, imports, packages."""

import ast
import subprocess
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
NOT_OURS = {".git", ".venv", "var", "dist", "build", "__pycache__"}


@cache
def project_files() -> tuple[Path, ...]:
    """Every file that belongs to the project, relative to its root: what git keeps or would keep, not the ignored."""
    try:
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError):
        walked = (path.relative_to(ROOT) for path in ROOT.rglob("*"))
        return tuple(sorted(path for path in walked if not NOT_OURS & set(path.parts) and (ROOT / path).is_file()))
    return tuple(sorted(Path(name) for name in listed.split("\0") if name and (ROOT / name).is_file()))


def python_files() -> list[Path]:
    """Every Python file of the project, relative to its root, tests included."""
    return [path for path in project_files() if path.suffix == ".py"]


def product_files() -> list[Path]:
    """The Python files that are shipped: those of the top-level folders except tests and docs."""
    return [path for path in python_files() if len(path.parts) > 1 and path.parts[0] not in {"tests", "docs"}]


def text_files() -> Iterator[tuple[Path, str]]:
    """Every file of the project that is UTF-8 text, with its text."""
    for path in project_files():
        content = (ROOT / path).read_bytes()
        if b"\0" not in content:
            yield path, content.decode("utf-8")


@cache
def tree(path: Path) -> ast.Module:
    """The syntax tree of a Python file given relative to the root."""
    return ast.parse((ROOT / path).read_text(encoding="utf-8"), filename=str(path))


def module_name(path: Path) -> str:
    """The dotted name of a file: `core/clock.py` is `core.clock`, `core/__init__.py` is `core`."""
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported_names(path: Path) -> set[str]:
    """The dotted names a file imports; `from core import clock` counts as `core` and as `core.clock`."""
    names: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def string_constants(path: Path) -> set[str]:
    """The text constants of a file; a module that is started by its name (`python -m`) is named in one."""
    constants = (node.value for node in ast.walk(tree(path)) if isinstance(node, ast.Constant))
    return {value for value in constants if isinstance(value, str)}


@cache
def settings() -> dict[str, Any]:
    """pyproject.toml as a table."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
