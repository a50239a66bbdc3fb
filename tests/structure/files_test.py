"""What no file of the project may contain, and where its files stand."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

# Written in pieces, so that this file does not contain them.
REGISTRIES = (
    r"python" + r"hosted\.org",
    r"pypi" + r"\.org",
    r"crates" + r"\.io",
    r"npm" + r"js\.(org|com)",
    r"proxy\.go" + r"lang\.org",
    r"deb\.deb" + r"ian\.org",
    r"archive\.ubu" + r"ntu\.com",
    r"repo1?\.mav" + r"en\.",
)


def text_of(path: Path) -> str | None:
    try:
        return path.read_text()
    except UnicodeDecodeError:
        return None


def test_no_file_names_a_package_registry(tracked_files: list[Path], repository: Path) -> None:
    """A machine has its own sources; a host written down here would pass them by."""
    pattern = re.compile("|".join(REGISTRIES), re.IGNORECASE)
    found = []
    for path in tracked_files:
        for number, line in enumerate((text_of(path) or "").splitlines(), 1):
            if match := pattern.search(line):
                found.append(f"{path.relative_to(repository)}:{number}: {match[0]}")
    assert found == []


def test_tree_speaks_of_itself_alone(repository: Path) -> None:
    checked = subprocess.run(
        [sys.executable, repository / "scripts/check_tree.py"], capture_output=True, text=True, timeout=60
    )

    assert checked.returncode == 0, checked.stderr


def test_text_files_are_tidy(tracked_files: list[Path], repository: Path) -> None:
    wrong = []
    for path in tracked_files:
        if path.is_symlink() or path.suffix not in {
            ".cpp",
            ".hpp",
            ".py",
            ".sh",
            ".md",
            ".cmake",
            ".txt",
            ".json",
            ".yaml",
            ".yml",
        }:
            continue
        text = text_of(path)
        if text and not text.endswith("\n"):
            wrong.append(f"{path.relative_to(repository)}: no newline at the end")
        if text and "\r" in text:
            wrong.append(f"{path.relative_to(repository)}: carriage returns")
    assert wrong == []


def test_no_large_or_binary_files(tracked_files: list[Path], repository: Path) -> None:
    """Models, recordings and build results belong elsewhere."""
    wrong = [
        f"{path.relative_to(repository)}: {path.stat().st_size} bytes"
        for path in tracked_files
        if path.stat().st_size > 512 * 1024 or (text_of(path) is None and path.suffix not in {".wav", ".png"})
    ]
    assert wrong == []


def test_scripts_may_be_run(tracked_files: list[Path], repository: Path) -> None:
    wrong = [
        str(path.relative_to(repository))
        for path in tracked_files
        if (text_of(path) or "").startswith("#!") and not path.stat().st_mode & 0o100
    ]
    assert wrong == []


@pytest.mark.parametrize(
    "document",
    ["README.md", "LICENSE", "docs/architecture.md", "docs/protocol.md", "docs/dependencies.md", "docs/config.md"],
)
def test_document_is_there(repository: Path, document: str) -> None:
    assert (repository / document).stat().st_size > 500


def test_links_in_documents_lead_somewhere(tracked_files: list[Path], repository: Path) -> None:
    wrong = []
    for path in tracked_files:
        if path.suffix != ".md":
            continue
        for target in re.findall(r"\]\(([^)\s#]+)[^)]*\)", path.read_text()):
            if not re.match(r"[a-z]+:", target) and not (path.parent / target).exists():
                wrong.append(f"{path.relative_to(repository)}: {target}")
    assert wrong == []
