"""What the recogniser takes for another word that sounds alike, it hears when it listens for the commands of this home."""

from collections.abc import Callable
from pathlib import Path

import pytest

import client
import pcm
import spoken
from bus import Bus


def heard(bus: Bus, clip: pcm.Clip) -> dict:
    session = client.new_session()
    finals = bus.subscribe("stt.text.final")
    client.send_at_once(bus, session, pcm.silence(0.4, clip.rate_hz) + clip)
    try:
        return finals.of_session(session, 20).json()
    finally:
        finals.close()


# Each of them reads wrong by itself; which of them do may change with the recogniser.
MISHEARD = (
    ("flite-kal", "turn off the hallway light"),
    ("flite-kal", "turn on the desk lamp"),
    ("flite-rms", "turn off the reading lamp"),
    ("flite-kal", "switch on the kettle"),
)


def test_commands_are_heard_that_were_misheard_at_first(bus: Bus, voices: Callable[[str, str], Path]) -> None:
    transcripts = {command: heard(bus, pcm.read_wav(voices(voice, command))) for voice, command in MISHEARD}
    for command, transcript in transcripts.items():
        assert spoken.words(transcript["text"]) == spoken.words(command), transcript
    again = [transcript for transcript in transcripts.values() if "heard" in transcript]
    assert len(again) >= 2, transcripts
    for transcript in again:
        assert spoken.words(transcript["heard"]) != spoken.words(transcript["text"]), transcript


@pytest.mark.parametrize("sentence", ["the front door of the church was painted red", "did you see the game last night"])
def test_what_is_no_command_is_not_made_one(bus: Bus, voices: Callable[[str, str], Path], sentence: str) -> None:
    transcript = heard(bus, pcm.read_wav(voices("flite-slt", sentence)))
    assert "heard" not in transcript
    assert len(set(spoken.words(transcript["text"])) & set(spoken.words(sentence))) > 3, transcript
