"""Whose turn it is: Loqa's own voice in the microphone is nobody's, and somebody who speaks over it is heard."""

import array
import contextlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import client
import pcm
from bus import Bus
from local_loqa import Instance

RATE_HZ = 22_050  # of the voice; the microphone has the same
FRAME = RATE_HZ * pcm.FRAME_MS // 1000
ECHO = 10 ** (-10 / 20)
ECHO_DELAY = 3  # frames: from the speaker through the room


@dataclass
class Room:
    """What happened while a speaker played an answer that its own microphone hears 10 dB quieter."""

    played: int = 0  # samples of the answer
    began: int = 0  # how often speech began
    ends: list[dict] = field(default_factory=list)
    flushed_at: float | None = None
    spoke_at: float | None = None


def at_rate(clip: pcm.Clip, rate_hz: int, peak: int) -> array.array:
    """Its samples at another rate, as loud as asked for; good enough for a recogniser."""
    values = clip.samples()
    loudest = max(abs(value) for value in values)
    step = clip.rate_hz / rate_hz
    return array.array(
        "h", (int(values[int(i * step)] * peak / loudest) for i in range(int(len(values) / step)))
    )  # fmt: skip


def live(
    bus: Bus, question: str, seconds: float, person: pcm.Clip | None = None, at_s: float = 1.5, echo: float = ECHO
) -> Room:
    session = client.new_session()
    sound, flushes = bus.subscribe(f"tts.pcm.{session}"), bus.subscribe(f"tts.flush.{session}")
    begins, ended = bus.subscribe("stt.speech.started"), bus.subscribe("session.ended")
    room = Room()
    speaker = array.array("h")
    heard: list[array.array] = [array.array("h", bytes(2 * FRAME))] * ECHO_DELAY
    voice = at_rate(person, RATE_HZ, 12_000) if person else array.array("h")
    generation = "0"
    started = None
    clip = pcm.Clip(RATE_HZ, b"")
    begin = time.monotonic()
    said = 0
    try:
        for sequence in range(10_000):
            # A sound device in real time: the wait is the frame's own length.
            time.sleep(max(0.0, begin + sequence * pcm.FRAME_MS / 1000 - time.monotonic()))
            now = time.monotonic()
            if sequence == 25:  # the microphone has been open for a while
                written = {"session_id": session, "text": question, "partial": False}
                bus.publish("stt.text.final", written, {"Loqa-Audio": "pcm"})
            for frame in sound.drain():
                generation = frame.headers["Loqa-Generation"]
                speaker.frombytes(frame.data)
                if started is None:
                    started = now
                    bus.publish("playback.started", {"session_id": session, "generation": int(generation)})
            if flushes.drain() and room.flushed_at is None:
                room.flushed_at = now
                del speaker[room.played :]
                bus.publish(
                    "playback.stopped",
                    {"session_id": session, "generation": int(generation), "played_ms": 1, "completed": False},
                )
            block = speaker[room.played : room.played + FRAME] if started else array.array("h")
            room.played += len(block)
            block.extend([0] * (FRAME - len(block)))
            heard.append(block)
            mixed = [int(value * echo) for value in heard.pop(0)]
            if started and person and now - started >= at_s:
                room.spoke_at = room.spoke_at or now
                for i, value in enumerate(voice[said : said + FRAME]):
                    mixed[i] += value
                said += FRAME
            bus.publish(
                f"audio.pcm.{session}",
                array.array("h", (max(-32768, min(32767, value)) for value in mixed)).tobytes(),
                client.audio_headers(session, sequence, clip),
            )
            if started and now - started > seconds:
                break
        room.began = sum(message.session_id == session for message in begins.drain())
        room.ends = [message.json() for message in ended.drain() if message.session_id == session]
        return room
    finally:
        bus.publish("tts.cancel", {"session_id": session})
        for inbox in (sound, flushes, begins, ended):
            inbox.close()


def test_its_own_voice_is_no_turn(bus: Bus) -> None:
    room = live(bus, "what can you do", 5)

    assert room.began == 0
    assert room.flushed_at is None
    assert [end["outcome"] for end in room.ends] == ["answered"]
    assert room.played > 4 * RATE_HZ, "the answer was heard"


def test_who_speaks_over_it_stops_it(bus: Bus, voices: Callable[[str, str], Path]) -> None:
    stop = pcm.read_wav(voices("flite-rms", "stop"))

    room = live(bus, "what can you do", 4, stop)

    assert room.flushed_at is not None
    assert room.began == 1
    assert room.flushed_at - room.spoke_at < stop.seconds + 1
    assert room.ends[0]["outcome"] == "answered"
    assert all(end["reason"] not in ("echo", "speaking") for end in room.ends[1:] if "reason" in end)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("policy", "words", "stops"),
    [("stop", "stop", True), ("stop", "what time is it", False), ("off", "stop", False)],
)
def test_the_policy_says_what_interrupts(
    fresh_instance: Callable[..., Instance],
    voices: Callable[[str, str], Path],
    policy: str,
    words: str,
    stops: bool,
) -> None:
    """Where the speaker goes on, one word in its middle is too little to be read: here the microphone is far from it."""
    instance = fresh_instance(environment={"LOQA_SESSION_BARGE_IN": policy}).start()

    room = live(instance.bus, "what can you do", 5, pcm.read_wav(voices("flite-rms", words)), echo=0)

    assert (room.flushed_at is not None) == stops
    if not stops:
        assert {end.get("reason") for end in room.ends} <= {"", None, "speaking"}
        assert [end["outcome"] for end in room.ends].count("answered") == 1


def test_a_question_opens_the_microphone(instance: Instance, voices: Callable[[str, str], Path], tmp_path: Path) -> None:
    """What follows a question answers it, in the same session."""
    files = [voices("flite-slt", "unlock the front door"), voices("flite-slt", "no")]
    said = instance.loqa("say", *files, "--mark-end", "--json", "--out", tmp_path / "answer.wav", timeout=60)
    first, second = (json.loads(line) for line in said.stdout.splitlines())

    assert first["reply"].endswith("?"), first
    assert second["session_id"] == first["session_id"]
    assert second["reply"] == "Okay."


def test_the_microphone_is_opened_when_the_question_was_heard(bus: Bus) -> None:
    session = client.new_session()
    listens, sound = bus.subscribe("session.listen"), bus.subscribe(f"tts.pcm.{session}")
    bus.publish(
        "stt.text.final", {"session_id": session, "text": "unlock the front door", "partial": False}, {"Loqa-Audio": "pcm"}
    )
    frame = sound.get(10)
    generation = int(frame.headers["Loqa-Generation"])
    bus.publish("playback.started", {"session_id": session, "generation": generation})
    sound.get(10, lambda message: message.headers.get("Loqa-Final") == "1")
    with contextlib.suppress(TimeoutError):
        early = listens.of_session(session, 0.2)
        pytest.fail(f"the microphone was opened while Loqa spoke: {early.json()}")
    bus.publish(
        "playback.stopped", {"session_id": session, "generation": generation, "played_ms": 1500, "completed": True}
    )

    assert listens.of_session(session, 5).json()["expects"] == "yes_or_no"
    client.say_in_writing(bus, "no", session)
    for inbox in (listens, sound):
        inbox.close()
