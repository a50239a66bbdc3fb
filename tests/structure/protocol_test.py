"""docs/protocol.md is the norm: it tells of every subject and header that the program knows, and of no other."""

import re
from pathlib import Path

import pytest


def constants(repository: Path, namespace: str) -> dict[str, str]:
    text = (repository / "src/loqa/protocol/subjects.hpp").read_text()
    block = text[text.index(f"namespace {namespace} {{") : text.index(f"}}  // namespace {namespace}")]
    return dict(re.findall(r'std::string_view (\w+) = "([^"]+)";', block))


@pytest.fixture(scope="module")
def document(repository: Path) -> str:
    return (repository / "docs/protocol.md").read_text()


def test_every_subject_is_documented(repository: Path, document: str) -> None:
    subjects = constants(repository, "subject")

    assert len(subjects) > 20
    assert [
        subject for subject in subjects.values() if not re.search(rf"`{re.escape(subject)}(\.<[a-z_]+>)?`", document)
    ] == []


def test_every_header_is_documented(repository: Path, document: str) -> None:
    headers = constants(repository, "header")

    assert len(headers) > 8
    assert [header for header in headers.values() if f"`{header}`" not in document] == []


def test_no_header_is_documented_that_does_not_exist(repository: Path, document: str) -> None:
    assert set(re.findall(r"Loqa-[A-Z][A-Za-z-]+", document)) <= set(constants(repository, "header").values())


def test_no_subject_is_written_by_hand(repository: Path) -> None:
    """Sources name subjects by their constants, so that there is one place to change one."""
    subjects = set(constants(repository, "subject").values())
    wrong = []
    for path in [*(repository / "src").rglob("*.cpp"), *(repository / "apps").rglob("*.cpp")]:
        if "tests" in path.parts or path.name == "embedded_server.cpp":
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            for literal in re.findall(r'"([a-z]+\.[a-z_.]+)"', line):
                if literal in subjects:
                    wrong.append(f"{path.relative_to(repository)}:{number}: {literal}")
    assert wrong == []
