"""Makes the speech-error set of the intent tests: what the real recogniser writes when commands are spoken to it.

    bench/speech_errors.py [--commands FILE] [--wav FOLDER] [--out FILE]

Each command is spoken by the test voices (flite's four, eSpeak NG) and by Loqa's own, and read by the recogniser that ships. The
set is stored as text, "said<tab>heard<tab>voices", so that the test that uses it (src/loqa/intent/tests/speech_test.cpp) is quick and
repeatable; run this again when the commands or the recogniser change.
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
        done = subprocess.run([ROOT / "build/bench/speech_texts"], input="\n".join(lines) + "\n", capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(done.stderr)
    heard: dict[tuple[str, str], list[str]] = {}
    for line in done.stdout.splitlines():
        name, text = line.split("\t")
        voice, said = name.split("|")
        heard.setdefault((said, text), []).append(voice)
    order = {text: i for i, text in enumerate(commands)}
    rows = sorted(heard.items(), key=lambda row: (order[row[0][0]], row[0][1]))
    options.out.write_text("".join(f"{said}\t{text}\t{' '.join(by)}\n" for (said, text), by in rows), encoding="utf-8")
    print(f"{len(commands)} commands, {len(voices.ALL) + 1} voices, {len(rows)} different texts in {options.out}")


if __name__ == "__main__":
    main()
