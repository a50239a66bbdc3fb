"""What the ear takes for speech where nobody speaks to it: words are counted, and there should be none.

    bench/background.py [--minutes N]

A quarter of the time each: silence with a little hiss, a fan, music, and a room full of people none of whom can be followed, through
detector and recogniser as they ship (bench/hearing_bench.cpp), in the time that the processor takes.
"""

import argparse
import array
import random
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))

import pcm  # noqa: E402
import utterances  # noqa: E402

RATE_HZ = 16_000


def silence(seconds: float) -> pcm.Clip:
    """A quiet microphone: hiss at -70 dBFS."""
    chance = random.Random(11)
    return pcm.Clip(RATE_HZ, array.array("h", (round(chance.gauss(0, 10)) for _ in range(int(seconds * RATE_HZ)))).tobytes())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60)
    options = parser.parse_args()
    seconds = options.minutes * 60 / 4
    words = 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for kind in ("silence", "fan", "music", "babble"):
            made = silence(seconds) if kind == "silence" else utterances.background(kind, RATE_HZ, seconds, folder)
            file = folder / f"{kind}.wav"
            pcm.write_wav(file, made)
            command = [ROOT / "build/bench/hearing_bench"]
            done = subprocess.run(command, input=f"{kind}\t{file}\n", capture_output=True, text=True, check=True)
            heard = [line.split("\t")[2] for line in done.stdout.splitlines()]
            heard = [text for text in heard if text]
            count = sum(len(text.split()) for text in heard)
            words += count
            print(f"{kind}: {seconds / 60:.0f} min, {len(heard)} transcripts, {count} words", *heard[:20], sep="\n  ", flush=True)
    sys.exit(1 if words else 0)


if __name__ == "__main__":
    main()
