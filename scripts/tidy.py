#!/usr/bin/env python3
"""Runs clang-tidy over what compile_commands.json lists, and only over what changed since it was last found clean.

What it lists are whole targets, each one file that includes its sources (the preset `lint`): clang-tidy takes most of its
time for what sources include. Its verdict depends on the sources, the project's headers, how they are compiled, .clang-tidy
and the tool's version: a hash of these stands in the cache folder once it had nothing to say.
Usage: tidy.py CLANG_TIDY BUILD_DIRECTORY JOBS
"""

import hashlib
import json
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
INCLUDE = re.compile(rb'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"', re.MULTILINE)
TARGET = re.compile(r"CMakeFiles/(.+)\.dir/")
FORGET_AFTER_S = 30 * 24 * 3600


@cache
def contents(path: Path) -> bytes:
    return path.read_bytes()


@cache
def includes(path: Path) -> tuple[Path, ...]:
    """The project's own headers that the file includes itself."""
    names = [name.decode() for name in INCLUDE.findall(contents(path))]
    places = ((folder / name for folder in (path.parent, ROOT / "src", ROOT / "apps")) for name in names)
    return tuple(found.resolve() for candidates in places if (found := next(filter(Path.is_file, candidates), None)))


def family(path: Path) -> list[Path]:
    """The file and all of the project's headers that it includes, themselves or through others."""
    seen, waiting = {path}, [path]
    while waiting:
        fresh = set(includes(waiting.pop())) - seen
        seen |= fresh
        waiting += fresh
    return sorted(seen)


def fingerprint(entry: dict, common: bytes) -> str:
    digest = hashlib.sha256(common)
    digest.update(entry["command"].replace(str(ROOT), "").encode())
    for path in family(Path(entry["file"])):
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + hashlib.sha256(contents(path)).digest())
    return digest.hexdigest()


def main() -> int:
    clang_tidy, build, jobs = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    entries = [entry for entry in json.loads((build / "compile_commands.json").read_text()) if Path(entry["file"]).exists()]
    version = subprocess.run([clang_tidy, "--version"], check=True, capture_output=True).stdout
    compiler = subprocess.run(["c++", "--version"], check=True, capture_output=True).stdout
    common = version + compiler + (ROOT / ".clang-tidy").read_bytes()

    clean = Path(os.environ["LOQA_CACHE_DIR"]) / "tidy"
    clean.mkdir(parents=True, exist_ok=True)
    for stamp in clean.iterdir():
        if stamp.stat().st_mtime < time.time() - FORGET_AFTER_S:
            stamp.unlink()

    def judge(entry: dict) -> bool:
        stamp = clean / fingerprint(entry, common)
        if stamp.exists():
            stamp.touch()
            return True
        # Not for clang to judge: what only g++ has a name for, and libstdc++ 12's use of its own get_temporary_buffer.
        leave = ["--extra-arg=-Wno-unknown-warning-option", "--extra-arg=-Wno-deprecated-declarations"]
        command = [clang_tidy, "--quiet", "-p", build, *leave, entry["file"]]
        result = subprocess.run(command, capture_output=True, text=True)
        name = TARGET.search(entry["file"])[1]
        if result.returncode:
            print(f"{name}:\n{result.stdout}{result.stderr}", flush=True)
            return False
        print(f"  {name}", flush=True)
        stamp.touch()
        return True

    with ThreadPoolExecutor(jobs) as pool:
        verdicts = list(pool.map(judge, entries))
    print(f"clang-tidy: {verdicts.count(True)} of {len(verdicts)} targets clean")
    return 0 if all(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
