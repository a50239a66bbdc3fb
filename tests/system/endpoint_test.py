"""How long Loqa waits for the end of what is said depends on what was said: counted in sound, not in time of this machine."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

import client
import pcm
from bus import Bus


def trimmed(clip: pcm.Clip) -> pcm.Clip:
    return pcm.Clip(clip.rate_hz, clip.data[: 2 * (pcm.end_of_speech(clip) + 1)])


def say(bus: Bus, clip: pcm.Clip, silence_s: float = 2.5) -> tuple[list[dict], float]:
    """Its transcripts, and how long after the end of speech the last of them came."""
    session = client.new_session()
    finals = bus.subscribe("stt.text.final")
    whole = pcm.silence(0.4, clip.rate_hz) + clip + pcm.silence(silence_s, clip.rate_hz)
    sent = client.stream_in_real_time(bus, session, whole)
    end = sent[int((0.4 + clip.seconds) * 1000) // pcm.FRAME_MS]
    time.sleep(0.3)  # for a transcript that should not come
    found = [message for message in finals.drain() if message.session_id == session]
    finals.close()
    assert found, f"no transcript of {clip.seconds:.1f} s"
    return [message.json() for message in found], found[-1].arrived - end


def waited_for_ms(bus: Bus, session_id: str) -> int:
    """The silence that ended the session's utterance, as loqa-stt chose it: not how long this machine took."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        for span in bus.request("trace.get", {"session_id": session_id}).get("spans", []):
            if span["name"] == "stt.endpoint":
                return int(span["attributes"]["waited_for_ms"])
        time.sleep(0.1)
    raise TimeoutError(f"no stt.endpoint span of {session_id}")


def test_an_open_phrase_is_waited_for_and_a_command_is_not(bus: Bus, voices: Callable[[str, str], Path]) -> None:
    waits = {}
    for text in ("what time is it", "set a timer for"):
        transcripts, _ = say(bus, trimmed(pcm.read_wav(voices("flite-slt", text))))
        assert [transcript["reason"] for transcript in transcripts] == ["speech_end"], transcripts
        waits[text] = waited_for_ms(bus, transcripts[0]["session_id"])
    assert waits["set a timer for"] > 5 * waits["what time is it"], waits


@pytest.mark.parametrize(
    ("before", "after", "pause_s"),
    [("set a timer for", "ten minutes", 0.6), ("turn on the", "kitchen lights", 0.5)],
)
def test_a_pause_inside_a_command_is_not_its_end(
    bus: Bus, voices: Callable[[str, str], Path], before: str, after: str, pause_s: float, no_timers: None
) -> None:
    first, second = (trimmed(pcm.read_wav(voices("flite-slt", text))) for text in (before, after))
    transcripts, took = say(bus, first + pcm.silence(pause_s, first.rate_hz) + second, silence_s=1.5)
    assert [transcript["reason"] for transcript in transcripts] == ["speech_end"], transcripts
    assert took > 0
    assert after.split()[-1][:5] in transcripts[0]["text"].lower(), transcripts


@pytest.mark.parametrize(
    ("below_db", "lead_s", "texts"),
    [
        (20, 0.0, ("what time is it", "turn on the kitchen lights")),
        (10, 0.4, ("turn off the kitchen lights", "what is the date today")),  # who spoke before the command too
    ],
)
def test_somebody_far_off_who_goes_on_speaking_does_not_hold_the_end_and_is_not_answered(
    bus: Bus, voices: Callable[[str, str], Path], below_db: float, lead_s: float, texts: tuple[str, ...]
) -> None:
    chatter = pcm.read_wav(voices("flite-rms", "the weather is mild and the trains are late and nobody knows when they will come"))
    for text in texts:
        near = trimmed(pcm.read_wav(voices("flite-slt", text)))
        assert near.rate_hz == chatter.rate_hz
        lead, tail = (pcm.silence(seconds, near.rate_hz) for seconds in (lead_s, 6))
        heard = pcm.silence(0.4, near.rate_hz) + (lead + near + tail).over(chatter, below_db)
        session = client.new_session()
        finals = bus.subscribe("stt.text.final")
        sent = client.stream_in_real_time(bus, session, heard)
        end = sent[int((0.4 + lead_s + near.seconds) * 1000) // pcm.FRAME_MS]
        found = [message for message in finals.drain() if message.session_id == session and message.json()["text"]]
        finals.close()
        assert [message.json()["reason"] for message in found] == ["speech_end"], [m.json() for m in found]
        assert found[0].json()["text"].lower().rstrip("?.") == text, found[0].json()
        assert found[0].arrived - end < 4, "it was ended by the end of the stream"
