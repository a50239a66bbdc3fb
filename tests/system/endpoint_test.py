"""How long Loqa waits for the end of what is said depends on what was said: counted in sound, not in time of this machine."""

import statistics
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


def test_an_open_phrase_is_waited_for_and_a_command_is_not(bus: Bus, voices: Callable[[str, str], Path]) -> None:
    complete, opened = [], []
    for _ in range(2):
        for text, waits in (("what time is it", complete), ("set a timer for", opened)):
            transcripts, took = say(bus, trimmed(pcm.read_wav(voices("flite-slt", text))))
            assert len(transcripts) == 1, transcripts
            assert transcripts[0]["reason"] == "speech_end"
            waits.append(took)
    # 0.2 s against 1.1 s; a machine that is busy adds the same to both.
    assert statistics.median(opened) > 2 * statistics.median(complete), (complete, opened)


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
