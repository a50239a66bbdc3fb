"""Kokoro's speakers as people who talk to Loqa: neural voices, nearer to people's than those of the tests.

Each is spoken by a Loqa that answers in it, before anything is measured; the recordings are kept in the cache folder,
for Kokoro takes longer to speak than to be listened to. Kokoro is there after `loqa models pull kokoro-v1.0`.
"""

import re
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "support"))

import client  # noqa: E402
import pcm  # noqa: E402
from local_loqa import CACHE, Instance  # noqa: E402

MODEL = "kokoro-v1.0"
SPEAKERS = ("af_heart", "am_michael", "bf_emma", "bm_george", "af_bella", "am_puck")  # a: US, b: GB; not who whispers
ALL = tuple(f"kokoro-{speaker}" for speaker in SPEAKERS)
KEPT = CACHE / "bench" / "speech"
ONE_SENTENCE_S = 60


def installed() -> bool:
    return (CACHE / "models" / MODEL).is_dir()


def path_of(voice: str, text: str) -> Path:
    return KEPT / f"{voice}-{re.sub(r'[^a-z0-9]+', '-', text.lower())}.wav"


def prepare(wanted: list[tuple[str, str]]) -> None:
    """Makes the recordings of (voice, text) that are not there yet."""
    KEPT.mkdir(parents=True, exist_ok=True)
    missing = sorted({each for each in wanted if each[0] in ALL and not path_of(*each).exists()})
    for voice in sorted({voice for voice, _ in missing}):
        texts = [text for of, text in missing if of == voice]
        print(f"{voice} speaks {len(texts)} sentences, once", flush=True)
        settings = {
            "LOQA_TTS_MODE": "kokoro",
            "LOQA_TTS_MODEL_PATH": MODEL,
            "LOQA_TTS_VOICE": voice.removeprefix("kokoro-"),
            "LOQA_TTS_SAMPLE_RATE": "24000",
        }
        with tempfile.TemporaryDirectory() as folder:
            instance = Instance(Path(folder) / "kokoro", settings)
            try:
                bus = instance.start().bus
                for text in texts:
                    made = path_of(voice, text)
                    half = made.with_suffix(".part")
                    pcm.write_wav(half, client.synthesise(bus, text, ONE_SENTENCE_S))
                    half.rename(made)
            finally:
                instance.destroy()
