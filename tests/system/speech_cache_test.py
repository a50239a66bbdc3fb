"""What was said once is kept: in memory, and in a folder that outlives the process."""

import time
from collections.abc import Callable
from pathlib import Path

import client
from bus import Bus
from local_loqa import Instance


def say(bus: Bus, text: str, headers: dict[str, str] | None = None) -> dict:
    """Has `text` said, and gives its tts.started."""
    started, done = bus.subscribe("tts.started"), bus.subscribe("tts.done")
    session_id = client.new_session()
    bus.publish("tts.request", {"session_id": session_id, "text": text}, headers)
    assert done.of_session(session_id, 20).json()["completed"]
    return started.of_session(session_id, 5).json()


def wait_for_files(folder: Path, count: int) -> list[Path]:
    deadline = time.monotonic() + 20
    while len(files := sorted(folder.glob("*.speech"))) < count and time.monotonic() < deadline:
        time.sleep(0.02)
    return files


def test_speech_is_kept_over_a_restart_and_garbage_is_not_said(
    fresh_instance: Callable[..., Instance], tmp_path: Path
) -> None:
    folder = tmp_path / "speech"
    instance = fresh_instance(environment={"LOQA_TTS_CACHE_PATH": str(folder)}).start()
    bus = instance.bus
    text = "This is said for the first time."

    assert not say(bus, text)["cached"]
    assert say(bus, text)["cached"]
    assert not say(bus, "Nobody may know of this.", {"Loqa-Privacy": "ephemeral"})["cached"]
    assert say(bus, "Nobody may know of this.", {"Loqa-Privacy": "ephemeral"})["cached"]

    # The usual replies are made when nobody waits: then all is written, but for what is private.
    usual = [
        line for line in Path("share/replies/en.txt").read_text().splitlines() if line and not line.startswith("#")
    ]
    files = wait_for_files(folder, len(usual) + 1)
    assert len(files) == len(usual) + 1
    assert say(bus, "Sorry, I didn't catch that.")["cached"]

    instance.stop()
    for file in files:
        file.write_bytes(file.read_bytes()[:-1000])
    bus = instance.start().bus
    assert not say(bus, text)["cached"]
    assert say(bus, text)["cached"]

    instance.stop()
    bus = instance.start().bus
    assert say(bus, text)["cached"]


def test_what_is_prepared_is_played_to_nobody_and_is_there_when_it_is_asked_for(bus: Bus) -> None:
    for pause_s in (0.2, 0.5, 1.0, 2.0, 4.0):  # as long as a person goes on speaking; a busy machine needs longer
        text = f"Nobody has heard of {client.new_session()}."
        everything = bus.subscribe("tts.>")
        bus.publish("tts.prepare", {"text": text})
        time.sleep(pause_s)
        assert [m.subject for m in everything.drain() if m.subject != "tts.prepare"] == []
        if say(bus, text)["cached"]:
            return
    raise AssertionError("what was prepared was made anew each time")
