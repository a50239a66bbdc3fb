"""Voices of different engines ask, and get a spoken answer that says what it should.

Each answer's sound is written down again by a recogniser: what counts is what a person would hear.
"""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest

import pcm
import spoken
from local_loqa import Instance

ASKERS = ("flite-slt", "piper", "flite-rms")

HOPS = {
    "voice.session": "loqad",
    "stt.listen": "loqa-stt",
    "stt.endpoint": "loqa-stt",
    "stt.decode": "loqa-stt",
    "intent": "loqad",
    "skill": "loqad",
    "tts.queue": "loqa-tts",
    "tts.first_chunk": "loqa-tts",
    "tts.synthesise": "loqa-tts",
}


@dataclass(frozen=True)
class Asked:
    session_id: str
    heard: str
    reply: str  # as Loqa means it
    spoken: str  # as its sound was written down again
    stages_ms: dict[str, float]


@pytest.fixture(params=ASKERS)
def ask(
    request: pytest.FixtureRequest,
    instance: Instance,
    voices: Callable[[str, str], Path],
    piper: Callable[[str], Path],
    recogniser: Callable[[pcm.Clip], str],
    tmp_path: Path,
) -> Callable[[str], Asked]:
    """ask("what time is it") says it in the voice of the test's parameter, through `loqa say`."""
    voice = request.param

    def say(question: str) -> Asked:
        path = piper(question) if voice == "piper" else voices(voice, question)
        out = tmp_path / f"answer-{len(list(tmp_path.glob('*.wav')))}.wav"
        said = instance.loqa_json("say", path, "--out", out)
        assert said["outcome"] == "answered", said
        assert Path(said["out"]) == out
        assert spoken.likeness(question, said["heard"]) > 0.8, f"{question!r} was heard as {said['heard']!r}"
        heard = recogniser(pcm.read_wav(out))
        assert spoken.likeness(said["reply"], heard) > 0.6, f"{said['reply']!r} sounds like {heard!r}"
        return Asked(said["session_id"], said["heard"], said["reply"], heard, said["stages_ms"])

    return say


def minutes_around(now: datetime) -> list[str]:
    times = [now + timedelta(minutes=by) for by in (-1, 0, 1)]
    return [f"{time:%-I}:{time:%M}" for time in times] + [f"{time:%-H}:{time:%M}" for time in times]


def test_time(ask: Callable[[str], Asked]) -> None:
    answer = ask("what time is it")

    assert any(spoken.says(answer.reply, time) for time in minutes_around(datetime.now())), answer


def test_date(ask: Callable[[str], Asked]) -> None:
    answer = ask("what is the date today")

    today = datetime.now()
    assert spoken.nearly_says(answer.spoken, f"{today:%B}"), answer
    assert spoken.nearly_says(answer.spoken, str(today.day)), answer


@pytest.mark.usefixtures("no_timers")
def test_set_a_timer(ask: Callable[[str], Asked], instance: Instance) -> None:
    answer = ask("set a timer for ten minutes")

    assert spoken.nearly_says(answer.spoken, "ten minutes"), answer
    (timer,) = instance.loqa_json("timers")["timers"]
    assert timer["duration_s"] == 600
    assert 590 <= timer["seconds_remaining"] <= 600


@pytest.mark.usefixtures("no_timers")
def test_how_long_a_named_timer_has_left(ask: Callable[[str], Asked], instance: Instance) -> None:
    started = ask("set a kitchen timer for thirty minutes")
    ask("set a timer for twenty minutes")
    left = ask("how much time is left on the kitchen timer")

    assert spoken.nearly_says(started.spoken, "thirty minutes"), started
    assert spoken.nearly_says(left.spoken, "twenty nine minutes"), left
    assert sorted(timer["duration_s"] for timer in instance.loqa_json("timers")["timers"]) == [1200, 1800]


@pytest.mark.usefixtures("no_timers")
def test_cancel(ask: Callable[[str], Asked], instance: Instance) -> None:
    ask("set a timer for ten minutes")
    answer = ask("cancel my timer")

    assert spoken.says(answer.reply, "cancelled"), answer
    assert spoken.nearly_says(answer.spoken, "cancelled"), answer
    assert instance.loqa_json("timers")["timers"] == []


@pytest.mark.parametrize("ask", ["flite-slt"], indirect=True)
def test_trace_has_a_span_for_every_hop(ask: Callable[[str], Asked], instance: Instance) -> None:
    arriving = instance.bus.subscribe("trace.spans")
    answer = ask("what time is it")

    # The processes send their spans in batches: ask again whenever one has come.
    trace = instance.loqa_json("trace", answer.session_id)
    while HOPS.keys() - {span["name"] for span in trace["spans"]}:
        arriving.get(timeout=10)
        trace = instance.loqa_json("trace", answer.session_id)

    spans = {span["span_id"]: span for span in trace["spans"]}
    root = next(span for span in spans.values() if span["name"] == "voice.session")
    for span in spans.values():
        assert span["trace_id"] == root["trace_id"]
        assert span is root or span["parent_span_id"] in spans, f"{span['name']} hangs in the air"
        assert span["start_us"] <= span["end_us"] <= root["end_us"] + 1000, f"{span} ends after {root}"
    for name, process in HOPS.items():
        assert process in {span["process"] for span in spans.values() if span["name"] == name}, name


@pytest.mark.parametrize("ask", ["flite-slt"], indirect=True)
def test_stages_are_told(ask: Callable[[str], Asked]) -> None:
    stages = ask("what time is it").stages_ms

    assert {"stt", "intent", "skill", "tts", "first_chunk", "playback", "total"} <= stages.keys()
    assert all(0 <= value < 5000 for value in stages.values()), stages
    # The speaker's word that it plays may overtake the synthesiser's that it began, by a bus hop.
    assert stages["stt"] + stages["tts"] <= stages["total"] + 10


@pytest.mark.parametrize("rate_hz", [8_000, 22_050, 44_100, 48_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_any_rate_mono_or_stereo(
    instance: Instance, voices: Callable[[str, str], Path], tmp_path: Path, rate_hz: int, channels: int
) -> None:
    converted = tmp_path / "question.wav"
    question = voices("flite-slt", "what is the date today")
    subprocess.run(["sox", question, "-r", str(rate_hz), "-c", str(channels), converted], check=True, timeout=30)

    said = instance.loqa_json("say", converted, "--out", tmp_path / "answer.wav")

    assert spoken.says(said["heard"], "what is the date today"), said
    assert said["outcome"] == "answered"
