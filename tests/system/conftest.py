"""Fixtures of the system tests: instances of the real binaries, the bus, spoken sentences.

LOQA_BIN names another folder of binaries than build/bin.
"""

import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import client
import pcm
import spoken
import voices as voice_makers
from bus import Bus
from local_loqa import BINARIES, CACHE, Instance

_LOG_TAIL = 3_000


def pytest_configure() -> None:
    """Clocks here and in what is started show 10:20 in the morning: no test then depends on when it is run.

    Midnight is far, and the recogniser that judges what was said writes these times down as they were meant; of others, like
    "2:18 AM", it makes "It is too waking the M." The zone is one of POSIX, whose sign says how far west it is.
    """
    utc = time.gmtime()
    east_s = (10 * 60 + 20 - utc.tm_hour * 60 - utc.tm_min) * 60
    os.environ["TZ"] = f"<TEST>{'-' if east_s > 0 else '+'}{abs(east_s) // 3600}:{abs(east_s) // 60 % 60:02}"
    time.tzset()


@pytest.fixture(scope="session", autouse=True)
def binaries() -> Path:
    for name in ("loqa", "loqad", "loqa-stt", "loqa-tts"):
        if not (BINARIES / name).exists():
            pytest.exit(
                f"{BINARIES / name} is not there: run `make build`, or name the folder in LOQA_BIN", returncode=2
            )
    return BINARIES


_alive: list[Instance] = []


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo) -> Iterator[None]:
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for instance in _alive:
            if log := instance.log():
                report.sections.append((f"log of {instance.data}", log[-_LOG_TAIL:]))


@contextmanager
def _managed(instance: Instance) -> Iterator[Instance]:
    _alive.append(instance)
    try:
        yield instance
    finally:
        instance.destroy()
        _alive.remove(instance)


@pytest.fixture(scope="session")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """The instance that most tests share: they may use it, and leave it as they found it."""
    with _managed(Instance(tmp_path_factory.mktemp("shared"))) as shared:
        yield shared.start()


@pytest.fixture(scope="session")
def recogniser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[pcm.Clip], str]]:
    """Writes down a clip. It has an instance of its own, since an instance answers whatever it hears."""
    # A pause between two sentences of an answer is not its end, whatever the first one means.
    patient = {f"LOQA_STT_ENDPOINT_{phrase}_MS": "3000" for phrase in ("COMPLETE", "GROWABLE", "SILENCE", "OPEN")}
    with _managed(Instance(tmp_path_factory.mktemp("recogniser"), environment=patient)) as own:
        own.start()
        yield lambda clip: client.transcribe(own.bus, clip)


@pytest.fixture
def fresh_instance(tmp_path: Path) -> Iterator[Callable[..., Instance]]:
    """Makes instances of a test's own, not started yet: fresh_instance(environment=…, config=…, data=…)."""
    made: list[Instance] = []

    def make(**options: object) -> Instance:
        made.append(Instance(tmp_path / f"instance-{len(made)}", **options))
        _alive.append(made[-1])
        return made[-1]

    yield make
    for one in made:
        one.destroy()
        _alive.remove(one)


@pytest.fixture
def outer_bus(tmp_path: Path) -> Iterator[str]:
    """URL of a nats-server without credentials, on loopback, with JetStream: the bus of those who run their own.

    A test names it before fresh_instance, so that it goes after the instances on it.
    """
    program = CACHE / "engines" / "nats-server" / "nats-server"
    command = [str(program), "--addr", "127.0.0.1", "--port", "-1", "--jetstream", "--store_dir", str(tmp_path / "bus")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True) as server:
        try:
            port = None
            for line in server.stderr:
                if found := re.search(r"Listening for client connections on 127\.0\.0\.1:(\d+)", line):
                    port = found[1]
                if "Server is ready" in line:
                    break
            assert port, "nats-server did not start"
            yield f"nats://127.0.0.1:{port}"
        finally:
            server.terminate()


@pytest.fixture
def bus(instance: Instance) -> Bus:
    """A connection to the shared instance, as any client of it has."""
    return instance.bus


@pytest.fixture
def no_timers(instance: Instance) -> Iterator[None]:
    """The shared instance has no timers before the test and none after it."""

    def cancel_all() -> None:
        for timer in instance.bus.request("timers.list")["timers"]:
            instance.bus.request("timers.cancel", {"id": timer["id"]})

    cancel_all()
    yield
    cancel_all()


@pytest.fixture(scope="session")
def voices(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Path]:
    """voices("flite-slt", "what time is it") is a WAV file."""
    folder = tmp_path_factory.mktemp("voices")

    def speak(voice: str, text: str) -> Path:
        if program := voice_makers.missing_program(voice):
            pytest.skip(f"{program} is not installed: run scripts/setup.sh test")
        return voice_makers.speak(voice, text, folder)

    return speak


@pytest.fixture(scope="session")
def piper(
    tmp_path_factory: pytest.TempPathFactory, instance: Instance, recogniser: Callable[[pcm.Clip], str]
) -> Callable[[str], Path]:
    """A sentence in Loqa's own voice, asked for as a client of loqa-core asks.

    The voice says nothing twice the same way, and now and then in a way that is misheard. How often is for the benchmarks to
    say; here a take is kept that the recogniser writes down as it was meant.
    """
    folder = tmp_path_factory.mktemp("piper")
    made: dict[str, Path] = {}

    def speak(text: str) -> Path:
        if text in made:
            return made[text]
        heard = []
        for ending in (".", "!", ",", "", ";"):
            clip = client.synthesise(instance.bus, text + ending)
            heard.append(recogniser(clip))
            if spoken.words(heard[-1]) == spoken.words(text):
                made[text] = folder / f"{len(made)}.wav"
                pcm.write_wav(made[text], clip)
                return made[text]
        pytest.fail(f"{text!r} was heard as {heard}")

    return speak
