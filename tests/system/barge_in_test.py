"""Whose turn it is: Loqa's own voice in the microphone is nobody's, and somebody who speaks over it is heard."""

import contextlib
import itertools
import json
from collections.abc import Callable
from pathlib import Path

import pytest

import client
import pcm
from bus import Bus
from local_loqa import Instance
from room import RATE_HZ, Room, live


def test_its_own_voice_is_no_turn(bus: Bus) -> None:
    happened = live(bus, "what can you do", 5)

    assert happened.began == 0
    assert happened.flushed_at is None
    assert [end["outcome"] for end in happened.ends] == ["answered"]
    assert happened.played > 4 * RATE_HZ, "the answer was heard"


def test_who_speaks_over_it_stops_it(bus: Bus, voices: Callable[[str, str], Path]) -> None:
    stop = pcm.read_wav(voices("flite-rms", "stop"))

    happened = live(bus, "what can you do", 4, stop)

    assert happened.flushed_at is not None
    assert happened.began == 1
    assert happened.played - happened.played_before < (stop.seconds + 1) * RATE_HZ, "the answer went on over them"
    assert happened.ends[0]["outcome"] == "answered"
    assert all(end["reason"] not in ("echo", "speaking") for end in happened.ends[1:] if "reason" in end)


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

    happened = live(instance.bus, "what can you do", 5, pcm.read_wav(voices("flite-rms", words)), room=Room(echo_db=None))

    assert (happened.flushed_at is not None) == stops
    if not stops:
        assert {end.get("reason") for end in happened.ends} <= {"", None, "speaking"}
        assert [end["outcome"] for end in happened.ends].count("answered") == 1


VOICES = ("flite-slt", "flite-rms", "flite-awb", "espeak-ng")
SILENT_WITHIN_S = 0.1  # as docs/adr/0006 promises


@pytest.mark.slow
@pytest.mark.parametrize(
    ("policy", "phrases"),
    [("any", {"stop": 1.5}), ("stop", {"stop": 2.5, "never mind": 1.5})],
    ids=["any", "stop"],
)
def test_it_is_stopped_over_its_own_echo_and_nothing_follows(
    fresh_instance: Callable[..., Instance],
    voices: Callable[[str, str], Path],
    policy: str,
    phrases: dict[str, float],  # and when they are said, after the answer began
) -> None:
    """The answer comes back 10 dB quieter. What is said next, "okay" perhaps, comes back as well, and is nobody's words."""
    bus = fresh_instance(environment={"LOQA_SESSION_BARGE_IN": policy}).start().bus

    alone = live(bus, "what can you do", 5)
    assert (alone.flushed_at, alone.began, alone.heard) == (None, 0, []), alone
    assert alone.played > 4 * RATE_HZ, "the answer was heard"

    for voice, (words, at_s) in itertools.product(VOICES, phrases.items()):
        # How often one word is understood over an echo is for the benchmark to say: here they may say it twice.
        for later_s in (0, 0.5):
            person = pcm.read_wav(voices(voice, words))
            happened = live(bus, "what can you do", 20, person, at_s + later_s, settle_s=0.8)
            told = f"{voice} said {words!r}: {happened}"
            assert happened.began == 1, told
            assert len(happened.words) <= 1, told
            if happened.flushed_at is not None:
                break
        assert happened.flushed_at is not None, told
        assert happened.flushed_at > happened.spoke_at, told
        assert happened.cancel_to_silence_s < SILENT_WITHIN_S, told
        assert happened.late == 0, told


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
