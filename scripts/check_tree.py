#!/usr/bin/env python3
"""Holds the tree to two rules that no compiler knows: Python files parse, and no file names a host or a folder of somebody's.

Packages come from whatever sources a machine is set up with, so an address of one in a file is a mistake waiting for a mirror;
and an absolute path of the author's machine exists nowhere else.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# Licence texts name their home; documents may name papers; examples use the names reserved for them.
ALLOWED_HOST = re.compile(
    r"^([^.]+|127\.0\.0\.1|\[.*\]|(www\.)?apache\.org|arxiv\.org|(www\.)?w3\.org|(.*\.)?example(\.(com|org|net))?|"
    r"(.*\.)?(test|invalid|local|lan))$"
)
URL_HOST = re.compile(r"\b(?:https?|ftp|git)://(?:[^/\s@\"'`<>]*@)?(\[[0-9a-f:]+\]|[A-Za-z0-9][A-Za-z0-9.-]*)", re.IGNORECASE)
SOMEBODYS_FOLDER = re.compile("|".join(rf"(?<![\w.~$}}]){re.escape(str(path))}/[\w.]" for path in {ROOT, Path.home(), Path("/root")}))


def faults_in(text: str) -> list[tuple[int, str]]:
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        found += [(number, f"names the host {host}") for host in URL_HOST.findall(line) if not ALLOWED_HOST.match(host)]
        found += [(number, f"names the folder {match[0]}…") for match in SOMEBODYS_FOLDER.finditer(line)]
    return found


def main() -> int:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    faults = []
    for name in filter(None, listed.split("\0")):
        path = ROOT / name
        if path.is_symlink() or not path.is_file() or b"\0" in (data := path.read_bytes()):
            continue
        text = data.decode("utf-8", "replace")
        faults += [f"{name}:{number}: {fault}" for number, fault in faults_in(text)]
        if name.endswith(".py"):
            try:
                compile(text, name, "exec")
            except SyntaxError as error:
                faults.append(f"{name}:{error.lineno}: {error.msg}")
    print(*faults, sep="\n", end="\n" if faults else "", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
