"""Many turns, and many that were broken off, leave nothing behind."""

from collections.abc import Callable
from pathlib import Path

import pytest

import client
import pcm
from bus import Bus
from local_loqa import Instance

pytestmark = pytest.mark.slow

PROGRAMS = ("loqad", "loqa-stt", "loqa-tts")
GROWTH_LIMIT = 1.10
SLACK_KB = 4096  # the last turns are remembered, so some growth at first is meant


def memory_kb(instance: Instance) -> dict[str, int]:
    """Resident memory of each process."""
    found = {}
    for program in PROGRAMS:
        status = Path(f"/proc/{instance.pid(program)}/status").read_text()
        found[program] = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))
    return found


def expect_no_growth(before: dict[str, int], after: dict[str, int]) -> None:
    limits = {name: max(GROWTH_LIMIT * size, size + SLACK_KB) for name, size in before.items()}
    assert {name: (before[name], size) for name, size in after.items() if size > limits[name]} == {}


def abandon(bus: Bus, question: pcm.Clip, count: int) -> None:
    """Sessions that begin to speak and are never heard of again, 16 at a time."""
    begins = bus.subscribe("stt.speech.started")
    finals = bus.subscribe("stt.text.final")
    frames = list(question.frames())[:40]
    for _ in range(0, count, 16):
        sessions = {client.new_session() for _ in range(16)}
        for session_id in sessions:
            bus.publish_all(
                (f"audio.pcm.{session_id}", frame, client.audio_headers(session_id, i, question))
                for i, frame in enumerate(frames)
            )
        waiting = set(sessions)
        while waiting:
            waiting.discard(finals.get(30, lambda m: m.session_id in waiting).session_id)  # noqa: B023
    begins.close()
    finals.close()


def test_sessions_whose_client_went_away_are_freed(
    fresh_instance: Callable[..., Instance], voices: Callable[[str, str], Path]
) -> None:
    instance = fresh_instance(environment={"LOQA_STT_CLIENT_TIMEOUT_MS": "500"}).start()
    question = pcm.read_wav(voices("flite-slt", "set a timer for ten minutes"))
    abandon(instance.bus, question, 96)
    before = memory_kb(instance)

    abandon(instance.bus, question, 320)

    expect_no_growth(before, memory_kb(instance))
    with client.Satellite(instance.bus) as satellite:
        answer = satellite.ask_at_once(pcm.read_wav(voices("flite-slt", "what time is it")), 10)
    assert answer.outcome == "answered"


def test_turns_leave_nothing_behind(
    fresh_instance: Callable[..., Instance], voices: Callable[[str, str], Path]
) -> None:
    instance = fresh_instance().start()
    question = pcm.read_wav(voices("flite-slt", "what time is it"))

    def ask(times: int) -> None:
        for _ in range(times):
            with client.Satellite(instance.bus) as satellite:
                assert satellite.ask_at_once(question, 10).outcome == "answered"

    ask(60)
    before = memory_kb(instance)
    ask(240)
    expect_no_growth(before, memory_kb(instance))
