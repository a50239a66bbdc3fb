"""Sound as the tests handle it: 16-bit PCM clips, WAV files, frames of 20 ms, and where speech ends in a clip."""

import array
import random
import sys
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FRAME_MS = 20


@dataclass(frozen=True)
class Clip:
    """Interleaved 16-bit little-endian samples."""

    rate_hz: int
    data: bytes
    channels: int = 1

    @property
    def seconds(self) -> float:
        return len(self.data) / (2 * self.channels * self.rate_hz)

    def __add__(self, other: "Clip") -> "Clip":
        assert (self.rate_hz, self.channels) == (other.rate_hz, other.channels)
        return Clip(self.rate_hz, self.data + other.data, self.channels)

    def samples(self) -> array.array:
        values = array.array("h", self.data)
        if sys.byteorder == "big":
            values.byteswap()
        return values

    def frame_bytes(self) -> int:
        return 2 * self.channels * (self.rate_hz * FRAME_MS // 1000)

    def frames(self) -> Iterator[bytes]:
        """Pieces of 20 ms, the last one filled up with silence."""
        size = self.frame_bytes()
        for start in range(0, len(self.data), size):
            yield self.data[start : start + size].ljust(size, b"\0")

    def over(self, background: "Clip", snr_db: float) -> "Clip":
        """With a background that goes on for as long; the ratio is of the two levels where each is loud (their peaks)."""
        assert (self.rate_hz, self.channels) == (background.rate_hz, background.channels)
        near, far = self.samples(), background.samples()
        gain = max(map(abs, near)) / max(map(abs, far)) * 10 ** (-snr_db / 20)
        mixed = (int(value + gain * far[i % len(far)]) for i, value in enumerate(near))
        return Clip(
            self.rate_hz, array.array("h", (max(-32768, min(32767, v)) for v in mixed)).tobytes(), self.channels
        )

    def stereo(self) -> "Clip":
        assert self.channels == 1
        both = array.array("h", bytes(2 * len(self.data)))
        both[0::2] = both[1::2] = self.samples()
        return Clip(self.rate_hz, both.tobytes(), 2)


def read_wav(path: Path) -> Clip:
    with wave.open(str(path), "rb") as file:
        assert file.getsampwidth() == 2, f"{path} is not 16-bit"
        return Clip(file.getframerate(), file.readframes(file.getnframes()), file.getnchannels())


def write_wav(path: Path, clip: Clip) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(clip.channels)
        file.setsampwidth(2)
        file.setframerate(clip.rate_hz)
        file.writeframes(clip.data)


def silence(seconds: float, rate_hz: int = 16_000) -> Clip:
    return Clip(rate_hz, bytes(2 * int(seconds * rate_hz)))


def noise(seconds: float, dbfs: float, rate_hz: int = 16_000, seed: int = 1) -> Clip:
    """White noise; `dbfs` is its RMS level. The same seed gives the same samples."""
    generator = random.Random(seed)
    rms = 32767 * 10 ** (dbfs / 20)
    values = (max(-32768, min(32767, int(generator.gauss(0, rms)))) for _ in range(int(seconds * rate_hz)))
    return Clip(rate_hz, array.array("h", values).tobytes())


def first_audible(data: bytes, dbfs: float = -45) -> int | None:
    """Index of the first mono sample louder than `dbfs`."""
    threshold = 32767 * 10 ** (dbfs / 20)
    return next((i for i, value in enumerate(array.array("h", data)) if abs(value) > threshold), None)


def end_of_speech(clip: Clip, below_peak_db: float = 45) -> int:
    """Index of the last sample of a clean mono clip that is louder than its peak less `below_peak_db`."""
    values = clip.samples()
    threshold = max(abs(value) for value in values) * 10 ** (-below_peak_db / 20)
    return next(i for i in range(len(values) - 1, -1, -1) if abs(values[i]) > threshold)
