"""The dependencies: locked with hashes, without an address, declared where they are used, and each explained."""

import re
import sys
from importlib.metadata import packages_distributions

from tests.support.project import ROOT, imported_names, product_files, settings


def test_the_lock_names_no_host() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert re.findall(r"\S*(?://|index-url|find-links|trusted-host|@ )\S*", lock) == []


def test_every_requirement_of_the_lock_has_a_version_and_a_hash() -> None:
    unlocked = [entry for entry in locked_entries() if not re.search(r"==\S+.*--hash=sha256:[0-9a-f]{64}", entry)]
    assert unlocked == []


def test_every_declared_dependency_is_in_the_lock() -> None:
    locked = {normal(entry) for entry in locked_entries()}
    assert (runtime_dependencies() | development_dependencies()) - locked == set()


def test_every_third_party_import_of_the_product_is_a_declared_dependency() -> None:
    distributions = packages_distributions()
    ours = {path.parts[0] for path in product_files()} | set(sys.stdlib_module_names)
    undeclared = {
        f"{path} imports {name}"
        for path in product_files()
        for name in {dotted.split(".")[0] for dotted in imported_names(path)} - ours
        if not {normal(found) for found in distributions.get(name, [])} & runtime_dependencies()
    }
    assert undeclared == set()


def test_every_declared_dependency_has_a_sentence_in_the_docs() -> None:
    text = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    explained = {normal(name) for name in re.findall(r"^\| `([^`]+)` \|[^|]*\w{3}[^|]*\|", text, re.MULTILINE)}
    assert explained == runtime_dependencies() | development_dependencies()


def locked_entries() -> list[str]:
    """The requirements of the lock, each with its hashes on one line."""
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8").replace("\\\n", " ")
    return [line for line in lock.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def runtime_dependencies() -> set[str]:
    """The normalised names of what the product needs to run."""
    return {normal(requirement) for requirement in settings()["project"]["dependencies"]}


def development_dependencies() -> set[str]:
    """The normalised names of what testing and building need on top."""
    return {normal(requirement) for requirement in settings()["project"]["optional-dependencies"]["dev"]}


def normal(requirement: str) -> str:
    """The name a requirement begins with, as package indexes compare it: small letters, one dash."""
    name = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert name, f"no package name in {requirement!r}"
    return re.sub(r"[-_.]+", "-", name.group()).lower()
