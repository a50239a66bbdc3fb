"""A process whose work hangs, with nothing that ends it: `loqa up` notices, ends it, and starts it anew.

The work is made to hang by a debugger's means: the thread that does it stops, while all others of the process go on.
"""

import ctypes
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import client
import pcm
from bus import Bus
from local_loqa import Instance, wait_for_end

HANG_TIMEOUT_S = 5.0
# By what is done there. The two that are quick in make test are those without which nothing is said.
LOOPS = [
    pytest.param("loqad", "session", id="turns"),
    pytest.param("loqa-tts", "synthesis", id="synthesis"),
    pytest.param("loqa-stt", "stt-hear", id="hearing", marks=pytest.mark.slow),
    pytest.param("loqa-stt", "stt-decode", id="decoding", marks=pytest.mark.slow),
]
PTRACE_SEIZE, PTRACE_INTERRUPT, WALL = 0x4206, 0x4207, 0x40000000


def hang(pid: int, thread: str) -> None:
    """Stops one thread of a process for good; where several do the same, the others go on."""
    found = [task for task in Path(f"/proc/{pid}/task").iterdir() if (task / "comm").read_text().strip() == thread]
    assert found, f"no thread of process {pid} is {thread}"
    stop_thread(int(found[0].name))


def stop_thread(tid: int) -> None:
    ptrace = ctypes.CDLL(None, use_errno=True).ptrace
    ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    for request in (PTRACE_SEIZE, PTRACE_INTERRUPT):
        if ptrace(request, tid, None, None) != 0:
            pytest.skip(f"threads cannot be stopped here: {os.strerror(ctypes.get_errno())}")
    os.waitpid(tid, WALL)
    # Who stopped it is told of its end first, and has to take note of it.
    threading.Thread(target=os.waitpid, args=(tid, WALL), daemon=True).start()


@pytest.fixture
def watched(fresh_instance: Callable[..., Instance]) -> Iterator[Instance]:
    yield fresh_instance(environment={"LOQA_RUNTIME_HANG_TIMEOUT_MS": str(int(HANG_TIMEOUT_S * 1000))}).start()


def is_answered(bus: Bus, question: Path) -> bool:
    with client.Satellite(bus) as satellite:
        try:
            return satellite.ask_at_once(pcm.read_wav(question), 3).outcome == "answered"
        except TimeoutError:
            return False


def assert_started_anew(
    watched: Instance, program: str, pid: int, question: Path, others: dict[str, int]
) -> None:
    """To be called when it has just begun to hang; the others are what must not be started anew with it."""
    hung_at = time.monotonic()
    noticed_by = hung_at + watched.in_time(HANG_TIMEOUT_S + 4)
    assert not wait_for_end([pid], noticed_by - time.monotonic()), "it still hangs"
    back_by = hung_at + watched.in_time(HANG_TIMEOUT_S + 10)
    while not is_answered(watched.bus, question):
        assert time.monotonic() < back_by, f"not back in service after {time.monotonic() - hung_at:.0f} s"

    assert f"{program} does not answer any more, ending it" in watched.log()
    for name, before in others.items():
        assert watched.pid(name) == before, f"{name} was started anew as well"


@pytest.mark.parametrize(("program", "thread"), LOOPS)
def test_what_hangs_is_started_anew(
    watched: Instance, voices: Callable[[str, str], Path], program: str, thread: str
) -> None:
    question = voices("flite-slt", "what time is it")
    others = {name: watched.pid(name) for name in ("loqad", "loqa-stt", "loqa-tts") if name != program}
    pid = watched.pid(program)
    hang(pid, thread)
    assert_started_anew(watched, program, pid, question, others)


def test_a_bus_that_hangs_is_started_anew(watched: Instance, voices: Callable[[str, str], Path]) -> None:
    """No thread of its goes on, and no signal holds it: its clients cannot tell it from one that is away."""
    question = voices("flite-slt", "what time is it")
    others = {name: watched.pid(name) for name in ("loqad", "loqa-stt", "loqa-tts")}
    pid = watched.pid("nats-server")
    stopped: set[int] = set()
    while fresh := {int(task.name) for task in Path(f"/proc/{pid}/task").iterdir()} - stopped:
        for tid in fresh:
            stop_thread(tid)
        stopped |= fresh
    assert_started_anew(watched, "nats-server", pid, question, others)


def test_what_is_busy_is_left_alone(watched: Instance) -> None:
    """Twice as long as anything may hang, the voice has more to say than it can."""
    before = {name: watched.pid(name) for name in ("loqad", "loqa-stt", "loqa-tts", "nats-server")}
    done = watched.bus.subscribe("tts.done")
    until = time.monotonic() + 2 * HANG_TIMEOUT_S
    asked = 0
    while time.monotonic() < until:
        asked += 1
        watched.bus.publish(
            "tts.request",
            {"session_id": f"busy-{asked}", "text": f"This is sentence number {asked}. " + "It goes on, and on. " * 20},
            {"Loqa-Audio": "pcm"},
        )
        done.get(watched.in_time(60))
    assert asked > 1
    assert {name: watched.pid(name) for name in before} == before
    assert "does not answer" not in watched.log()
