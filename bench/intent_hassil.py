"""Microseconds a sentence, Loqa beside hassil: the same sentences, the same homes, the same run.

    bench/intent_hassil.py [--loqa build/bin/loqa] [--collection FILE] [--entities 100 1000 10000] [--sentences 1000]

hassil is given `--hassil-sentences` of the sentences only, since it takes milliseconds for each.
"""
import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from intent_sentences import Hassil, make_home, sample

ROOT = Path(__file__).resolve().parent.parent


def shipped_collection():
    folders = sorted((Path.home() / ".cache/loqa/intents").glob("home-assistant-intents-*/en.json"))
    return str(folders[-1]) if folders else str(ROOT / "share/intents/en/loqa.yaml")


def percentile(values, share):
    return sorted(values)[int(share * (len(values) - 1))]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--loqa", default=str(ROOT / "build/bin/loqa"))
    parser.add_argument("--collection", default=shipped_collection())
    parser.add_argument("--entities", type=int, nargs="+", default=[100, 1000, 10000])
    parser.add_argument("--sentences", type=int, default=1000)
    parser.add_argument("--hassil-sentences", type=int, default=100)
    options = parser.parse_args()

    print(f"{'entities':>8}  {'compile':>9}  {'memory':>8}  {'loqa p50':>9}  {'p99':>8}  {'hassil p50':>10}  {'p99':>9}  {'times':>6}")
    for entities in options.entities:
        home = make_home(entities)
        with tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as home_file:
            yaml.safe_dump(home, home_file)
            home_file.flush()
            hassil = Hassil(options.collection, home)
            sentences = sample(hassil, options.sentences, seed=entities)
            done = subprocess.run([options.loqa, "intents", "bench", "--json", "--collection", options.collection, "--home", home_file.name],
                                  input="\n".join(sentences), capture_output=True, text=True, check=False)
            if done.returncode != 0:
                sys.exit(done.stderr)
            ours = json.loads(done.stdout)
        hassil.match(sentences[0])
        theirs = []
        for text in sentences[:options.hassil_sentences]:
            begin = time.perf_counter()
            hassil.match(text)
            theirs.append((time.perf_counter() - begin) * 1e6)
        times = statistics.median(theirs) / ours["p50_us"]
        print(f"{entities:>8}  {ours['compile_ms']:>6.1f} ms  {ours['memory_bytes'] / 1e6:>5.1f} MB  {ours['p50_us']:>6.1f} us  {ours['p99_us']:>5.1f} us"
              f"  {statistics.median(theirs):>7.0f} us  {percentile(theirs, 0.99):>6.0f} us  {times:>5.0f}x", flush=True)


if __name__ == "__main__":
    main()
