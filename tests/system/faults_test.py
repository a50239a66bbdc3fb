"""A fault in each phase of a turn: an answer or an apology soon, service back, nothing said or done twice.

Each process is killed and held (SIGSTOP) while somebody is listened to, recognised, acted for, and while the answer is made and
played. Phases are told by what is heard on the bus.
"""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import client
import pcm
from bus import Bus, Message
from client import audio_headers
from local_loqa import Instance

PROGRAMS = ("loqad", "loqa-stt", "loqa-tts", "nats-server")
PHASES = ("listening", "recognising", "acting", "synthesising", "playing")
FAULTS = {"killed": signal.SIGKILL, "held": signal.SIGSTOP}
# In make test: one of each kind of trouble. All of them in make test-slow.
QUICK = {
    ("loqad", "recognising", "killed"),
    ("loqad", "acting", "held"),
    ("loqa-tts", "playing", "killed"),
    ("nats-server", "synthesising", "killed"),
}
# Who has no part in a phase is only killed in it: held, it is killed as well, a moment later.
IDLE = {("loqa-stt", phase) for phase in PHASES[2:]} | {("loqa-tts", phase) for phase in PHASES[:2]}
MATRIX = [
    pytest.param(*case, marks=() if case in QUICK else pytest.mark.slow, id="-".join(case))
    for case in ((program, phase, fault) for program in PROGRAMS for phase in PHASES for fault in FAULTS)
    if case[2] == "killed" or case[:2] not in IDLE
]

WORD_WITHIN_S = 3.0
BACK_WITHIN_S = 5.0
SENTENCE = "set a timer for ten minutes"
INTENT = "HassStartTimer"


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    # A turn's time is not what is tried here: a busy machine may need more than that to load a voice anew.
    one = Instance(tmp_path_factory.mktemp("faults"), environment={"LOQA_SESSION_TURN_TIMEOUT_MS": "30000"})
    try:
        yield one.start()
    finally:
        one.destroy()


@dataclass
class Heard:
    """What a speaker was sent, by generation."""

    frames: dict[int, list[Message]] = field(default_factory=dict)

    def take(self, frame: Message) -> None:
        self.frames.setdefault(int(frame.headers["Loqa-Generation"]), []).append(frame)

    def whole(self) -> int:
        return sum(frames[-1].headers.get("Loqa-Final") == "1" for frames in self.frames.values())

    def sounds_after(self, moment: float) -> list[float]:
        return sorted(frame.arrived for frames in self.frames.values() for frame in frames if frame.arrived >= moment)


class Turn:
    """One spoken turn, in which something breaks at a phase."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.session = client.new_session()
        self.inboxes = {
            name: bus.subscribe(name)
            for name in (
                f"tts.pcm.{self.session}", "stt.speech.started", "session.state", "session.ended", "tts.request",
                f"intent.{INTENT}",
            )
        }  # fmt: skip
        self.heard = Heard()
        self.ends: list[dict] = []
        self.broke_at = 0.0

    def close(self) -> None:
        for inbox in self.inboxes.values():
            inbox.close()

    def speak(self, question: pcm.Clip, phase: str, strike: Callable[[], None]) -> None:
        """Speaks, and strikes when the phase has begun."""
        frames = list(question.frames())
        half = len(frames) // 2

        def send(first: int, last: int) -> None:
            self.bus.publish_all(
                (
                    f"audio.pcm.{self.session}",
                    frames[i],
                    audio_headers(self.session, i, question, final=i + 1 == len(frames)),
                )
                for i in range(first, last)
            )

        def hit() -> None:
            self.broke_at = time.monotonic()
            strike()

        if phase in ("acting", "synthesising", "playing"):
            self.bus.publish("intent.declare", {"handler": "faults", "intents": [INTENT]})
        send(0, half)
        self.inboxes["stt.speech.started"].of_session(self.session, 10)
        if phase == "listening":
            hit()
        send(half, len(frames))
        if phase == "recognising":
            with contextlib.suppress(TimeoutError):
                self.bus.flush(0.5)
            hit()
        if phase in ("listening", "recognising"):
            return
        request = self.inboxes[f"intent.{INTENT}"].get(10)
        if phase == "acting":
            hit()
            self.bus.publish(request.reply, {"handled": False})
            return
        # Words that were never said before, and take a while.
        words = f"This is for {' '.join(self.session[-6:])}. " + "It goes on, and on, and then some more. " * 4
        self.bus.publish(request.reply, {"handled": True, "speech": words})
        self.inboxes["tts.request"].of_session(self.session, 10)
        if phase == "playing":
            first = self.inboxes[f"tts.pcm.{self.session}"].get(10)
            self.heard.take(first)
            generation = int(first.headers["Loqa-Generation"])
            self.bus.publish("playback.started", {"session_id": self.session, "generation": generation})
            self.bus.flush()
        hit()

    def listen_until(self, deadline: float, enough: Callable[[], bool]) -> bool:
        sound, ended = self.inboxes[f"tts.pcm.{self.session}"], self.inboxes["session.ended"]
        while not enough():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            with contextlib.suppress(TimeoutError):
                frame = sound.get(min(left, 0.05))
                first = int(frame.headers["Loqa-Generation"]) not in self.heard.frames
                self.heard.take(frame)
                if first:
                    self.bus.publish("playback.started", {"session_id": self.session})
            for message in ended.drain():
                if message.session_id == self.session:
                    self.ends.append(message.json())
        return True


def back_in_service(bus: Bus, question: pcm.Clip, deadline: float) -> bool:
    """Asks until an answer is heard."""
    sound = bus.subscribe("tts.pcm.*")
    asked: set[str] = set()
    try:
        while time.monotonic() < deadline:
            asked.add(client.new_session())
            for session in list(asked)[-1:]:
                client.send_at_once(bus, session, question)
            with contextlib.suppress(TimeoutError):
                sound.get(min(1.0, max(0.01, deadline - time.monotonic())), lambda m: m.headers.get("Loqa-Session") in asked)
                return True
        return False
    finally:
        sound.close()


def strike(pid: int, number: int) -> None:
    """Returns when it has hit: threads of a process that is to be held go on until its main one had its turn."""
    os.kill(pid, number)
    deadline = time.monotonic() + 5
    while number == signal.SIGSTOP and time.monotonic() < deadline:
        states = [task.read_text().rpartition(")")[2].split()[0] for task in Path(f"/proc/{pid}/task").glob("*/stat")]
        if set(states) == {"T"}:
            return
        time.sleep(0.001)  # the kernel tells nobody but its parent


def settle(instance: Instance) -> None:
    """Between two cases: all parts are there, no timer is, and nobody else takes intents."""
    changes = instance.bus.subscribe("ctrl.readiness")
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with contextlib.suppress(TimeoutError):
            if instance.bus.request("ctrl.readiness.get", timeout=1)["ready"]:
                break
            changes.get(1, lambda message: message.json()["ready"])
    changes.close()
    instance.bus.publish("intent.declare", {"handler": "faults", "intents": []})
    for timer in instance.bus.request("timers.list")["timers"]:
        instance.bus.request("timers.cancel", {"id": timer["id"]})


@pytest.mark.parametrize(("program", "phase", "fault"), MATRIX)
def test_a_fault_in_a_turn(
    victim: Instance, voices: Callable[[str, str], Path], program: str, phase: str, fault: str
) -> None:
    bus = victim.bus
    settle(victim)
    pid = victim.pid(program)
    turn = Turn(bus)
    try:
        turn.speak(pcm.read_wav(voices("flite-slt", SENTENCE)), phase, lambda: strike(pid, FAULTS[fault]))
        broke = turn.broke_at
        begun = set(turn.heard.frames)

        # Who can still give a word gives one in time; where nobody is left that can, it comes with the service.
        if program != "nats-server":
            within = victim.in_time(BACK_WITHIN_S if program == "loqa-tts" else WORD_WITHIN_S)
            assert turn.listen_until(broke + within, lambda: bool(turn.heard.sounds_after(broke))), "nothing was heard"
        back = broke + victim.in_time(BACK_WITHIN_S)
        assert back_in_service(bus, pcm.read_wav(voices("flite-slt", "what time is it")), back), "not back in service"
        # Of a message that the bus lost nobody can say whether it still comes: there the end is not waited for long.
        patience = 1 if program == "nats-server" else 10
        turn.listen_until(time.monotonic() + patience, lambda: bool(turn.ends) and bool(turn.heard.whole()))

        answered = [end for end in turn.ends if end["outcome"] == "answered"]
        assert len(turn.ends) <= 1, turn.ends
        if program != "nats-server":
            assert [end["outcome"] for end in turn.ends] in (["answered"], ["apologised"])
        assert turn.heard.whole() <= 1, "said twice"
        assert not answered or len(turn.heard.frames) <= 1, "an answer, and something beside it"
        assert len(set(turn.heard.frames) - begun) <= 1
        timers = bus.request("timers.list")["timers"]
        if phase in ("listening", "recognising", "acting"):
            assert len(timers) <= 1, "done twice"
            if answered and answered[0].get("reply", "").startswith("Timer set"):
                assert len(timers) == 1, "promised, and not there"
    finally:
        turn.close()


@pytest.mark.slow
@pytest.mark.parametrize("phase", PHASES)
def test_a_slow_bus_makes_a_turn_slow_and_nothing_else(
    victim: Instance, voices: Callable[[str, str], Path], phase: str
) -> None:
    settle(victim)
    pid = victim.pid("nats-server")
    over = threading.Event()

    def stutter() -> None:
        while not over.is_set():
            os.kill(pid, signal.SIGSTOP)
            over.wait(0.15)
            os.kill(pid, signal.SIGCONT)
            over.wait(0.05)

    slow = threading.Thread(target=stutter)
    turn = Turn(victim.bus)
    try:
        turn.speak(pcm.read_wav(voices("flite-slt", SENTENCE)), phase, slow.start)
        assert turn.listen_until(turn.broke_at + 10, lambda: bool(turn.ends) and turn.heard.whole() == 1)
        over.set()
        slow.join()
        assert victim.pid("nats-server") == pid, "slow is not gone"
        turn.listen_until(time.monotonic() + 1, lambda: len(turn.ends) > 1)
        assert [end["outcome"] for end in turn.ends] == ["answered"]
        assert len(turn.heard.frames) == 1
        assert len(victim.bus.request("timers.list")["timers"]) == (phase in ("listening", "recognising", "acting"))
    finally:
        over.set()
        slow.join()
        turn.close()


def test_a_timer_that_was_promised_is_set_once(victim: Instance, voices: Callable[[str, str], Path]) -> None:
    """loqad is killed when it has said what it did, before it can say that the turn is over."""
    settle(victim)
    bus = victim.bus
    turn = Turn(bus)
    replies = bus.subscribe("session.reply")
    try:
        client.send_at_once(bus, turn.session, pcm.read_wav(voices("flite-slt", SENTENCE)))
        reply = replies.of_session(turn.session, 10).json()
        os.kill(victim.pid("loqad"), signal.SIGKILL)

        assert turn.listen_until(time.monotonic() + 10, lambda: bool(turn.ends) and turn.heard.whole() == 1)

        assert reply["text"].startswith("Timer set for 10 minutes")
        assert len(turn.heard.frames) == 1
        settled = bus.request("timers.list", timeout=5)["timers"]
        assert len(settled) == 1
        assert 590 < settled[0]["seconds_remaining"] <= 600
    finally:
        replies.close()
        turn.close()
