"""The sentence collection's own tests, through `loqa intents match --json` as a person would run them.

    bench/intent_corpus.py CORPUS [--loqa build/bin/loqa]

CORPUS is a folder with collection.json, _fixtures.yaml and tests/*.yaml. A sentence is *exact* when intent, slots and the types of
their values are the test's; *wrong* when it means something else; *missed* when it means nothing. Each that is not exact is listed,
and the exit code is 1 if there is any. Of a test's context only the area can be given on the command line; the rest has to be found
out from the home.
"""
import argparse
import collections
import json
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent


def fits(got, expected):
    if isinstance(expected, dict) and "value" in expected:
        expected = expected["value"]
    if isinstance(expected, list):
        return any(fits(got, one) for one in expected)
    return type(got) is type(expected) and got == expected


def load(folder):
    """(file, sentence, area, intent, slots) of every test."""
    for path in sorted((folder / "tests").glob("*.yaml")):
        for test in yaml.safe_load(path.read_text(encoding="utf-8"))["tests"]:
            intent = test["intent"]
            for sentence in test["sentences"]:
                yield path.name, sentence, (intent.get("context") or {}).get("area"), intent["name"], intent.get("slots") or {}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--loqa", default=str(ROOT / "build/bin/loqa"))
    options = parser.parse_args()

    by_area = collections.defaultdict(list)
    for test in load(options.corpus):
        by_area[test[2]].append(test)
    counts = collections.Counter()
    for area, tests in by_area.items():
        command = [options.loqa, "intents", "match", "--json", "--collection", str(options.corpus / "collection.json"),
                   "--home", str(options.corpus / "_fixtures.yaml")] + (["--area", area] if area else [])
        done = subprocess.run(command, input="".join(f"{test[1]}\n" for test in tests), capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(done.stderr)
        for (file, sentence, _area, intent, slots), line in zip(tests, done.stdout.splitlines(), strict=True):
            got = json.loads(line)
            if got["intent"] == intent and got["slots"].keys() == slots.keys() and all(fits(got["slots"][name], slots[name]) for name in slots):
                counts["exact"] += 1
                continue
            kind = "missed" if got["intent"] is None else "wrong"
            counts[kind] += 1
            why = got["error"] if got["intent"] is None else f"{got['intent']} {got['slots']}"
            print(f"{kind}: {file}: {sentence!r}{f' in {area}' if area else ''} is {intent} {slots}, not {why}")
    print(f"{counts.total()} sentences: {counts['exact']} exact, {counts['wrong']} wrong, {counts['missed']} missed")
    sys.exit(0 if counts["exact"] == counts.total() and counts["exact"] else 1)


if __name__ == "__main__":
    main()
