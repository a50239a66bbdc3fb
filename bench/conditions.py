#!/usr/bin/env python3
"""The voice path in every condition that is promised, one table: `make bench-all`, some 35 minutes.

Each line is a run of voice_bench.py, which tells what the figures mean. The first two are the same commands: the answers
of the first are new to this Loqa and have to be synthesised, those of the second were given by the first. `--only` takes
names of lines; further arguments go to voice_bench.py, as in `conditions.py --only fan10,fan20 -- --commands 16`.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from voice_bench import REPOSITORY, Measured, Summary, head, machine, record

CONDITIONS = {
    "new": ("commands, answers that are new", []),
    "known": ("the same, answers that were given before", []),
    "classic": ("older voices", ["--voices", "classic"]),
    **{
        f"{kind}{below}": (f"{name}, {below} dB below", ["--noise", f"{kind}@{below}"])
        for kind, name in (("fan", "fan"), ("music", "music"), ("voice", "somebody far off"))
        for below in (20, 10)
    },
    "pauses": ("a pause inside, 300 to 700 ms", ["--set", "pauses"]),
}


def read(file: Path) -> list[Measured]:
    return [Measured(**each) for each in json.loads(file.read_text())]


def row(name: str, results: list[Measured]) -> str:
    times = [result.total_ms for result in results if result.total_ms is not None]
    figures = Summary.of(times).row(name) if times else f"| {name} | 0 | | | | |"
    of_all = len(results)
    understood, as_asked, cut = (
        sum(getattr(result, what) for result in results) for what in ("same_meaning", "as_asked", "cut_off")
    )
    return f"{figures} {understood} of {of_all} | {as_asked} | {cut} |"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(CONDITIONS), help="%(default)s")
    parser.add_argument("--record", action="store_true", help="append the table to bench/RESULTS.md")
    parser.add_argument("further", nargs="*", metavar="-- ARGUMENT", help="of voice_bench.py")
    options = parser.parse_args()
    chosen = options.only.split(",")
    if unknown := set(chosen) - set(CONDITIONS):
        parser.error(f"no such condition: {', '.join(sorted(unknown))}; there are {', '.join(CONDITIONS)}")

    lines = head(machine(), "the voice path, every condition")
    lines += [
        f"`bench/conditions.py`{' with ' + ' '.join(options.further) if options.further else ''}; "
        "end of speech → first audible sample of the answer, milliseconds.",
        "",
        "| | n | min | median | p95 | p99 | understood | as asked | cut off |",
        f"| ---{' | ---:' * 8} |",
    ]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for condition in chosen:
            about, arguments = CONDITIONS[condition]
            file = folder / f"{condition}.json"
            # The others begin with an empty one of their own.
            if condition in ("new", "known"):
                arguments = ["--setting", f"LOQA_TTS_CACHE_PATH={folder / 'speech'}"]
            print(f"== {about}", flush=True)
            subprocess.run(
                [sys.executable, str(REPOSITORY / "bench" / "voice_bench.py"), *arguments]
                + ["--json", str(file), *options.further],
                check=False,  # 1: one was not answered, which the table says
            )
            if not file.exists():
                return 1
            lines.append(row(about, read(file)))
            print(lines[-1], flush=True)
    text = "\n".join(lines) + "\n"
    print("\n" + text)
    if options.record:
        record(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
