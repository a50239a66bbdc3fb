"""What is no command gets no answer, and many speak at once."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import client
import pcm
import spoken
from bus import Bus
from local_loqa import BINARIES, Instance, clean_environment

NO_SPEECH = {
    "silence": pcm.silence(2.0),
    "hiss at -50 dBFS": pcm.noise(2.0, -50),
    "noise at -25 dBFS": pcm.noise(2.0, -25),
    "a click": pcm.silence(1.0) + pcm.Clip(16_000, b"\xff\x7f" * 40) + pcm.silence(1.0),
    "one frame": pcm.silence(0.02),
    "silence at 48 kHz": pcm.silence(2.0, 48_000),
}


@pytest.mark.parametrize("what", NO_SPEECH)
def test_what_is_no_speech_is_heard_as_nothing(bus: Bus, what: str) -> None:
    finals = bus.subscribe("stt.text.final")
    replies = bus.subscribe("session.reply")
    satellite = client.Satellite(bus)

    client.send_at_once(bus, satellite.session_id, NO_SPEECH[what])

    final = finals.of_session(satellite.session_id, 10).json()
    assert final["text"] == ""
    assert final["reason"] == "no_speech"
    ended = satellite.ended.of_session(satellite.session_id, 10).json()
    assert ended["outcome"] == "nothing_heard"
    assert satellite.sound.drain() == []
    assert [reply for reply in replies.drain() if reply.session_id == satellite.session_id] == []


def test_end_without_any_sound_is_heard_as_nothing(bus: Bus) -> None:
    finals = bus.subscribe("stt.text.final")
    session_id = client.new_session()

    bus.publish(f"audio.pcm.{session_id}", b"", client.audio_headers(session_id, 0, pcm.silence(0), final=True))

    final = finals.of_session(session_id, 10).json()
    assert (final["text"], final["reason"]) == ("", "no_speech")


def test_client_that_goes_away_is_not_waited_for(bus: Bus, voices: Callable[[str, str], Path]) -> None:
    """What it said until then counts."""
    finals = bus.subscribe("stt.text.final")
    session_id = client.new_session()
    question = pcm.read_wav(voices("flite-slt", "set a timer for ten minutes"))
    for i, frame in enumerate(list(question.frames())[:-20]):
        bus.publish(f"audio.pcm.{session_id}", frame, client.audio_headers(session_id, i, question))

    final = finals.of_session(session_id, 10).json()

    assert final["reason"] == "timeout"
    assert spoken.says(final["text"], "set a timer"), final


def test_short_word_is_heard(bus: Bus, voices: Callable[[str, str], Path]) -> None:
    answer = client.Satellite(bus).ask_at_once(pcm.read_wav(voices("flite-rms", "stop")), timeout=10)

    assert spoken.words(answer.heard) == ["stop"], answer


def test_second_utterance_of_an_open_microphone_is_a_turn_of_its_own(
    bus: Bus, voices: Callable[[str, str], Path]
) -> None:
    session_id = client.new_session()
    finals = bus.subscribe("stt.text.final")
    ended = bus.subscribe("session.ended")
    rate = 16_000
    first, second = (pcm.read_wav(voices("flite-slt", text)) for text in ("what time is it", "what is the date today"))
    assert first.rate_hz == second.rate_hz == rate

    client.stream_in_real_time(bus, session_id, first + pcm.silence(3.0, rate) + second + pcm.silence(2.0, rate))

    texts = [finals.of_session(session_id, 10) for _ in range(2)]
    turns = [ended.of_session(session_id, 10).json() for _ in range(2)]
    assert spoken.says(texts[0].json()["text"], "what time is it")
    assert spoken.says(texts[1].json()["text"], "what is the date today")
    assert len({turn["turn_id"] for turn in turns}) == 2
    assert texts[0].headers["traceparent"].split("-")[1] != texts[1].headers["traceparent"].split("-")[1]


@pytest.mark.usefixtures("no_timers")
def test_several_at_once(instance: Instance, voices: Callable[[str, str], Path], tmp_path: Path) -> None:
    questions = [
        ("flite-slt", "what time is it"),
        ("flite-rms", "what is the date today"),
        ("flite-slt", "set a timer for ten minutes"),
        ("flite-rms", "set a timer for twenty minutes"),
    ]
    speaking = []
    for i, question in enumerate(questions):
        command = [BINARIES / "loqa", "say", voices(*question), "--json", "--data", instance.data]
        command += ["--out", tmp_path / f"{i}.wav"]
        speaking.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=clean_environment()))
    said = [json.loads(process.communicate(timeout=40)[0]) for process in speaking]

    assert len({one["session_id"] for one in said}) == len(questions)
    for (_, text), one in zip(questions, said, strict=True):
        assert one["outcome"] == "answered", one
        assert spoken.likeness(text, one["heard"]) > 0.8, one
        assert pcm.read_wav(Path(one["out"])).seconds > 0.5
    assert sorted(timer["duration_s"] for timer in instance.bus.request("timers.list")["timers"]) == [600, 1200]


def test_more_sessions_than_are_allowed_are_told_so(fresh_instance: Callable[..., Instance]) -> None:
    instance = fresh_instance(environment={"LOQA_STT_MAX_SESSIONS": "2"}).start()
    errors = instance.bus.subscribe("stt.error")
    sessions = [client.new_session() for _ in range(3)]

    for session_id in sessions:
        instance.bus.publish(
            f"audio.pcm.{session_id}", bytes(640), client.audio_headers(session_id, 0, pcm.silence(0.02))
        )

    assert errors.of_session(sessions[2], 5).json()["code"] == "busy"
