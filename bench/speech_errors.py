"""Makes the speech-error set of the intent tests: what the ear that ships makes of commands that are spoken to it.

    bench/speech_errors.py [--commands FILE] [--home FILE] [--wav FOLDER] [--out FILE]

Each command is spoken by the test voices (flite's four, eSpeak NG) and by Loqa's own, and heard by detector and recogniser as they
ship, about the home of the set (bench/hearing_bench.cpp). The set is stored as text, "said<tab>heard<tab>heard again<tab>doubtful<tab>voices",
so that the test that uses it (src/loqa/intent/tests/speech_test.cpp) is quick and repeatable; "heard again" is empty where the recogniser
did not listen again for a command. Where it took one command for several utterances, they stand in each field one after the other, "|"
between them. Run this again when the commands or the recogniser change.
"""
import argparse
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))

import voices  # noqa: E402

SET = ROOT / "src/loqa/intent/tests/data/speech"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--commands", type=Path, default=SET / "commands.txt")
    parser.add_argument("--out", type=Path, default=SET / "heard.tsv")
    parser.add_argument("--home", type=Path, default=SET / "home.yaml")
    parser.add_argument("--wav", type=Path, help="keeps the recordings here")
    options = parser.parse_args()
    commands = [line for line in options.commands.read_text(encoding="utf-8").splitlines() if line]
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.wav or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        jobs = [(voice, text) for voice in voices.ALL for text in commands]
        with ThreadPoolExecutor(2) as pool:
            files = list(pool.map(lambda job: voices.speak(*job, folder), jobs))
        lines = [f"{voice}|{text}\t{file}" for (voice, text), file in zip(jobs, files, strict=True)]
        lines += [f"piper|{text}\t={text}" for text in commands]
        halves = ["\n".join(lines[i::2]) + "\n" for i in (0, 1)]
        command = [ROOT / "build/bench/hearing_bench", "--home", options.home]
        with ThreadPoolExecutor(2) as pool:
            done = list(
                pool.map(lambda half: subprocess.run(command, input=half, capture_output=True, text=True, check=False), halves)
            )
    said_by: dict[str, list[tuple[str, str, str]]] = {}
    for one in done:
        if one.returncode != 0:
            sys.exit(one.stderr)
        for line in one.stdout.splitlines():
            name, _, text, first, doubtful, _ = line.split("\t")
            said_by.setdefault(name, []).append((first, text, doubtful) if first else (text, "", ""))
    heard: dict[tuple[str, ...], list[str]] = {}
    for name, utterances in said_by.items():
        voice, said = name.split("|")
        heard.setdefault((said, *("|".join(part) for part in zip(*utterances, strict=True))), []).append(voice)
    order = {text: i for i, text in enumerate(commands)}
    rows = sorted(heard.items(), key=lambda row: (order[row[0][0]], row[0][1:]))
    lines = ["\t".join((*row, " ".join(sorted(by)))) + "\n" for row, by in rows]
    options.out.write_text("".join(lines), encoding="utf-8")
    print(f"{len(commands)} commands, {len(voices.ALL) + 1} voices, {len(rows)} different texts in {options.out}")


if __name__ == "__main__":
    main()
