"""Spoken test sentences, made when they are needed by speech synthesisers of different kinds.

flite's voices: kal is diphones; awb, rms and slt are statistical voices made from recordings of a Scottish man, an
American man and an American woman. espeak-ng is formants. None of them shares code with the voice that Loqa answers in.
"""

import re
import shutil
import subprocess
from pathlib import Path

FLITE = {f"flite-{name}": name for name in ("slt", "rms", "awb", "kal")}
ALL = (*FLITE, "espeak-ng")


def missing_program(voice: str) -> str | None:
    program = "flite" if voice in FLITE else voice
    return None if shutil.which(program) else program


def speak(voice: str, text: str, folder: Path) -> Path:
    """A WAV file of `text` in `folder`; made once."""
    path = folder / f"{voice}-{re.sub(r'[^a-z0-9]+', '-', text.lower())}.wav"
    if not path.exists():
        if voice in FLITE:
            command = ["flite", "-voice", FLITE[voice], "-t", text, "-o", str(path)]
        else:
            command = ["espeak-ng", "-v", "en-us", "-s", "150", "-w", str(path), text]
        subprocess.run(command, check=True, timeout=30, capture_output=True)
    return path
