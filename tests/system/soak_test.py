"""Many turns, and many that were broken off, leave nothing behind."""

import json
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


def kept(instance: Instance) -> dict[str, tuple[int, int]]:
    """Threads and open descriptors of each process."""
    return {
        program: tuple(len(list(Path(f"/proc/{instance.pid(program)}/{what}").iterdir())) for what in ("task", "fd"))
        for program in PROGRAMS
    }


def test_ten_thousand_sessions_that_are_never_heard_of_again(
    fresh_instance: Callable[..., Instance], voices: Callable[[str, str], Path]
) -> None:
    """Each is left where it is: a stream that says nothing, a turn whose speaker is gone, a question that nobody answers."""
    instance = fresh_instance(
        environment={"LOQA_STT_CLIENT_TIMEOUT_MS": "500", "LOQA_SESSION_MAX_ACTIVE_TURNS": "1000"}
    ).start()
    bus = instance.bus
    quiet = pcm.noise(0.1, -60)

    def leave(count: int) -> None:
        finals, ended = bus.subscribe("stt.text.final"), bus.subscribe("session.ended")
        for _ in range(0, count, 100):
            streams = {client.new_session() for _ in range(50)}
            bus.publish_all(
                (f"audio.pcm.{session}", quiet.data, client.audio_headers(session, 0, quiet)) for session in streams
            )
            written = {client.new_session(): text for text in ("what day is it", "unlock the front door") for _ in range(25)}
            bus.publish_all(
                ("stt.text.final", json.dumps({"session_id": session, "text": text}).encode(), {"Loqa-Audio": "pcm"})
                for session, text in written.items()
            )
            for waiting, inbox in ((set(streams), finals), (set(written), ended)):
                while waiting:
                    waiting.discard(inbox.get(30, lambda m: m.session_id in waiting).session_id)  # noqa: B023
        finals.close()
        ended.close()

    leave(1_000)
    before, held = memory_kb(instance), kept(instance)

    leave(9_000)

    expect_no_growth(before, memory_kb(instance))
    grown = {program: (held[program], now) for program, now in kept(instance).items()}
    assert all(now[0] <= was[0] + 2 and now[1] <= was[1] + 4 for was, now in grown.values()), grown
    with client.Satellite(bus) as satellite:
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
