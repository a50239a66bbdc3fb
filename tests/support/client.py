"""A satellite as the binary audio form has it: raw PCM in both directions, the rest in headers."""

import base64
import time
import uuid
from dataclasses import dataclass, field

from bus import Bus, Message
from pcm import FRAME_MS, Clip, silence


def new_session() -> str:
    return f"test-{uuid.uuid4().hex[:12]}"


def audio_headers(session_id: str, sequence: int, clip: Clip, final: bool = False) -> dict[str, str]:
    headers = {
        "Loqa-Session": session_id,
        "Loqa-Sequence": str(sequence),
        "Loqa-Rate": str(clip.rate_hz),
        "Loqa-Channels": str(clip.channels),
        "Loqa-Audio": "pcm",
    }
    return headers | {"Loqa-Final": "1"} if final else headers


def send_at_once(bus: Bus, session_id: str, clip: Clip, **headers: str) -> None:
    """The whole clip as fast as it goes, the end marked."""
    frames = list(clip.frames())
    bus.publish_all(
        (f"audio.pcm.{session_id}", frame, audio_headers(session_id, i, clip, final=i + 1 == len(frames)) | headers)
        for i, frame in enumerate(frames)
    )


@dataclass
class Answer:
    session_id: str
    heard: str
    reply: str
    outcome: str
    clip: Clip | None = None
    ended: dict = field(default_factory=dict)


class Satellite:
    """Listens before it speaks, so that no answer is missed. One turn of one session."""

    def __init__(self, bus: Bus, session_id: str | None = None) -> None:
        self._bus = bus
        self.session_id = session_id or new_session()
        self.sound = bus.subscribe(f"tts.pcm.{self.session_id}")
        self.ended = bus.subscribe("session.ended")

    def __enter__(self) -> "Satellite":
        return self

    def __exit__(self, *_: object) -> None:
        self.sound.close()
        self.ended.close()

    def ask_at_once(self, clip: Clip, timeout: float) -> Answer:
        send_at_once(self._bus, self.session_id, clip)
        return self.answer(timeout)

    def answer(self, timeout: float) -> Answer:
        """Waits for the end of the turn and for all its sound; acknowledges the first of it as a speaker does."""
        deadline = time.monotonic() + timeout
        chunks: list[Message] = []
        ended: dict | None = None
        while ended is None:
            chunks += self._take_sound(first=not chunks)
            try:
                ended = self.ended.of_session(
                    self.session_id, min(0.05, max(0.001, deadline - time.monotonic()))
                ).json()
            except TimeoutError:
                if time.monotonic() > deadline:
                    raise
        if ended["outcome"] in ("answered", "apologised") and ended.get("reply"):
            while not (chunks and chunks[-1].headers.get("Loqa-Final") == "1"):
                chunks.append(self.sound.get(max(0.001, deadline - time.monotonic())))
        clip = None
        if chunks:
            clip = Clip(
                int(chunks[0].headers["Loqa-Rate"]),
                b"".join(chunk.data for chunk in chunks),
                int(chunks[0].headers["Loqa-Channels"]),
            )
        return Answer(self.session_id, ended.get("heard", ""), ended.get("reply", ""), ended["outcome"], clip, ended)

    def _take_sound(self, first: bool) -> list[Message]:
        chunks = self.sound.drain()
        if chunks and first:
            self._bus.publish("playback.started", {"session_id": self.session_id, "target": self.session_id})
        return chunks


def say_in_writing(bus: Bus, text: str, session: str, **headers: str) -> dict:
    """The end of the turn."""
    ended = bus.subscribe("session.ended")
    bus.publish("stt.text.final", {"session_id": session, "text": text, "partial": False}, headers)
    try:
        return ended.of_session(session, 15).json()
    finally:
        ended.close()


def transcribe(bus: Bus, clip: Clip, timeout: float = 30) -> str:
    """What the recogniser of an instance writes for a clip with pauses shorter than the instance's patience."""
    session_id = new_session()
    finals = bus.subscribe("stt.text.final")
    quiet = silence(0.4, clip.rate_hz)  # as it is around speech in a room
    send_at_once(bus, session_id, quiet + clip + quiet)
    heard = finals.of_session(session_id, timeout).json()
    finals.close()
    assert heard["reason"] == "client_final", heard
    return heard["text"]


def stream_in_real_time(
    bus: Bus, session_id: str, clip: Clip, start: float | None = None, first_sequence: int = 0
) -> list[float]:
    """Sends each frame when a microphone would have it; returns the times of sending. Never marks the end."""
    start = time.monotonic() if start is None else start
    sent = []
    for i, frame in enumerate(clip.frames()):
        # A source in real time: the wait is the frame's own length, counted from the start so that it does not drift.
        time.sleep(max(0.0, start + (i + 1) * FRAME_MS / 1000 - time.monotonic()))
        sent.append(time.monotonic())
        bus.publish(f"audio.pcm.{session_id}", frame, audio_headers(session_id, first_sequence + i, clip))
    return sent


def synthesise(bus: Bus, text: str, timeout: float = 10) -> Clip:
    """A sentence in Loqa's own voice, asked for in the older JSON form."""
    session_id = new_session()
    audio = bus.subscribe("tts.audio")
    bus.publish("tts.request", {"session_id": session_id, "text": text})
    frames: list[dict] = []
    while not (frames and frames[-1]["final"]):
        frames.append(audio.of_session(session_id, timeout).json())
    return Clip(frames[0]["sample_rate"], b"".join(base64.b64decode(frame["pcm"]) for frame in frames))
