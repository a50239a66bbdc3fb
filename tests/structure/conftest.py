import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def repository() -> Path:
    return REPOSITORY


@pytest.fixture(scope="session")
def tracked_files() -> list[Path]:
    """All files of the project: what git tracks, and what it would if it were added now."""
    listed = subprocess.run(
        ["git", "-C", str(REPOSITORY), "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        check=True, capture_output=True, timeout=30,
    )  # fmt: skip
    return [path for name in listed.stdout.decode().split("\0") if name and (path := REPOSITORY / name).is_file()]
