"""kill -9 of any process between turns: service is back within 5 s without a person."""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import client
import local_loqa
import pcm
import spoken
from bus import Bus
from local_loqa import Instance

BACK_WITHIN_S = 5.0
PROGRAMS = ("loqad", "loqa-stt", "loqa-tts", "nats-server")


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    one = Instance(tmp_path_factory.mktemp("victim"))
    try:
        yield one.start()
    finally:
        one.destroy()


def wait_for_a_turn(bus: Bus, question: pcm.Clip, timeout: float) -> dict:
    """Asks whenever Loqa says it is ready, at most every second, until an answer has been heard. Returns its reply."""
    changes = bus.subscribe("ctrl.readiness")
    sound = bus.subscribe("tts.pcm.*")
    replies = bus.subscribe("session.reply")
    understood: dict[str, dict] = {}
    deadline = time.monotonic() + timeout
    try:
        while time.monotonic() < deadline:
            if not is_ready(bus):
                with contextlib.suppress(TimeoutError):
                    changes.get(0.5, lambda message: message.json()["ready"])
                continue
            client.send_at_once(bus, client.new_session(), question)
            next_try = time.monotonic() + 1
            while (left := next_try - time.monotonic()) > 0:
                with contextlib.suppress(TimeoutError):
                    last = sound.get(left, lambda message: message.headers.get("Loqa-Final") == "1")
                    understood |= {
                        reply.session_id: reply.json() for reply in replies.drain() if reply.json()["intent"]
                    }
                    if reply := understood.get(last.headers["Loqa-Session"]):
                        return reply
        raise AssertionError(f"no turn was answered within {timeout} s")
    finally:
        for inbox in (changes, sound, replies):
            inbox.close()


def is_ready(bus: Bus) -> bool:
    try:
        return bus.request("ctrl.readiness.get", timeout=0.5)["ready"]
    except TimeoutError:
        return False


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_turn_works_again_soon_after(victim: Instance, voices: Callable[[str, str], Path], program: str) -> None:
    question = pcm.read_wav(voices("flite-slt", "what time is it"))
    wait_for_a_turn(victim.bus, question, 10)
    before = victim.processes()
    pid = victim.pid(program)

    killed = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    assert local_loqa.wait_for_end([pid], 5) == []
    answer = wait_for_a_turn(victim.bus, question, 20)
    back_after = time.monotonic() - killed

    assert spoken.says(answer["heard"], "what time is it")
    assert back_after < victim.in_time(BACK_WITHIN_S)
    after = victim.processes()
    assert sorted(after.values()) == sorted(before.values()), "as many processes as before"
    assert set(before) - set(after) == {pid}, "no other process had to die"


def test_readyz_says_who_is_away(victim: Instance, voices: Callable[[str, str], Path]) -> None:
    wait_for_a_turn(victim.bus, pcm.read_wav(voices("flite-slt", "what time is it")), 10)
    changes = victim.bus.subscribe("ctrl.readiness")
    status, before = victim.readyz()
    assert status == 200, before

    os.kill(victim.pid("loqa-tts"), signal.SIGKILL)
    gone = changes.get(5, lambda message: not message.json()["ready"]).json()
    assert [part["name"] for part in gone["components"] if part["state"] != "ready"] == ["tts"]
    changes.get(10, lambda message: message.json()["ready"])

    status, after = victim.readyz()
    assert status == 200, after


@pytest.mark.parametrize("program", ["loqa-stt", "loqa-tts"])
def test_a_turn_that_loses_a_process_ends_and_says_so(
    victim: Instance, voices: Callable[[str, str], Path], program: str
) -> None:
    """Killed in the middle: the words are asked for again, or spoken again; the person is not left waiting."""
    bus = victim.bus
    question = pcm.read_wav(voices("flite-slt", "what is the date today"))
    wait_for_a_turn(bus, question, 20)
    begins = bus.subscribe("stt.speech.started" if program == "loqa-stt" else "session.reply")
    with client.Satellite(bus) as satellite:
        frames = list(question.frames())
        for i, frame in enumerate(frames):
            final = program == "loqa-tts" and i + 1 == len(frames)
            bus.publish(
                f"audio.pcm.{satellite.session_id}",
                frame,
                client.audio_headers(satellite.session_id, i, question, final),
            )
        begins.of_session(satellite.session_id, 5)
        os.kill(victim.pid(program), signal.SIGKILL)

        ended = satellite.ended.of_session(satellite.session_id, 15).json()

    assert ended["outcome"] in ("answered", "apologised")
    assert ended["reply"]
    begins.close()


def test_timers_survive_kill_of_loqad(victim: Instance) -> None:
    bus = victim.bus
    status = bus.subscribe("skill.timer.status")
    for label, duration_ms in (("laundry", 3_600_000), ("egg", 2_500)):
        bus.publish("skill.timer.start", {"duration_ms": duration_ms, "label": label})
        assert status.get(5, lambda message, label=label: message.json()["label"] == label).json()["state"] == "started"
    changes = bus.subscribe("ctrl.readiness")
    before = {timer["label"]: timer for timer in bus.request("timers.list")["timers"]}
    assert {"laundry", "egg"} <= before.keys()

    os.kill(victim.pid("loqad"), signal.SIGKILL)
    changes.get(10, lambda message: message.json()["ready"])

    rang = status.get(10, lambda message: message.json()["state"] == "completed").json()
    assert rang["label"] == "egg"
    after = {timer["label"]: timer for timer in bus.request("timers.list")["timers"]}
    assert after["laundry"]["id"] == before["laundry"]["id"]
    assert (
        before["laundry"]["seconds_remaining"] - 30
        < after["laundry"]["seconds_remaining"]
        <= before["laundry"]["seconds_remaining"]
    )


def test_timer_that_fell_due_while_nothing_ran_rings_at_the_next_start(
    outer_bus: str, fresh_instance: Callable[..., Instance]
) -> None:
    settings = {"LOQA_BUS_EMBEDDED": "false", "LOQA_BUS_SERVERS": outer_bus}
    first = fresh_instance(environment=settings).start()
    status = first.bus.subscribe("skill.timer.status")
    first.bus.publish("skill.timer.start", {"duration_ms": 3_000, "label": "tea"})
    assert status.get(5).json()["state"] == "started"
    assert first.stop() == 0

    listening = Bus(outer_bus)
    try:
        status = listening.subscribe("skill.timer.status")
        due = time.monotonic() + 3
        second = fresh_instance(environment=settings, data=first.data)
        with pytest.raises(TimeoutError):
            status.get(max(0.0, due - time.monotonic()))
        second.start()
        rang = status.get(10).json()
    finally:
        listening.close()

    assert (rang["state"], rang["label"]) == ("completed", "tea")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ends_cleanly_when_asked(fresh_instance: Callable[..., Instance], number: int) -> None:
    instance = fresh_instance().start()
    started = list(instance.processes())
    assert len(started) == 5, instance.processes()

    asked = time.monotonic()
    assert instance.stop(number) == 0
    took = time.monotonic() - asked

    assert instance.processes() == {}, "orphans"
    assert instance.other_lines() == [], "standard output has `ready` alone"
    assert took < 6
    assert instance.loqa("env").returncode == 1, "it is no longer to be found"


def test_ends_cleanly_in_the_middle_of_a_turn(
    fresh_instance: Callable[..., Instance], voices: Callable[[str, str], Path]
) -> None:
    instance = fresh_instance().start()
    started = instance.bus.subscribe("stt.speech.started")
    question = pcm.read_wav(voices("flite-slt", "how much time is left on the kitchen timer"))
    for i, frame in enumerate(question.frames()):
        instance.bus.publish("audio.pcm.half", frame, client.audio_headers("half", i, question))
    started.of_session("half", 5)

    assert instance.stop(signal.SIGTERM) == 0

    assert instance.processes() == {}, "orphans"


def test_nothing_outlives_a_killed_loqa_up(fresh_instance: Callable[..., Instance]) -> None:
    instance = fresh_instance().start()
    started = list(instance.processes())

    instance.stop(signal.SIGKILL)

    assert local_loqa.wait_for_end(started, 5) == []
    fresh_instance(data=instance.data).start()
