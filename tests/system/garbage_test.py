"""What cannot be read is dropped: nothing that arrives on the bus ends a process or takes the next turn away."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import client
import local_loqa
import pcm
from bus import Bus
from local_loqa import Instance

MEGABYTE = 1024 * 1024


def subjects() -> list[str]:
    """Every subject that the program knows."""
    header = (local_loqa.REPOSITORY / "src/loqa/protocol/subjects.hpp").read_text()
    block = header[header.index("namespace subject") : header.index("}  // namespace subject")]
    return re.findall(r'= "([a-z_.]+)";', block)


def with_children(subject: str) -> list[str]:
    return [subject, f"{subject}.x", f"{subject}.%"]


FIELDS = (
    *(
        "session_id",
        "sequence",
        "sample_rate",
        "channels",
        "pcm",
        "final",
        "text",
        "partial",
        "timestamp",
        "confidence",
    ),
    *("prompt", "target", "voice", "id", "label", "duration_ms", "name", "node_id", "state", "pid", "components"),
    *("heard", "reply", "outcome", "stages_ms", "spans"),
)


def hostile_json() -> list[bytes]:
    """JSON of the right names with values that are not right."""
    values = [None, True, -1, 1e300, 2**63, "", "\u0000", "x" * 70_000, [], {}, [[]], "\ud800"]
    found = [json.dumps({name: value for name in FIELDS}).encode() for value in values]
    whole = {
        "session_id": "garbage", "sequence": 0, "sample_rate": 16_000, "channels": 1, "pcm": "AAAA", "final": False,
        "text": "", "partial": False, "timestamp": "now", "confidence": 0,
    }  # fmt: skip
    for name in whole:
        for value in values:
            found.append(json.dumps(whole | {name: value}).encode())
    return found


RAW = [
    b"",
    b"{",
    b"null",
    b"[]",
    b'"text"',
    b"\xff\xfe\x00" * 100,
    b"[" * 100_000,
    b'{"a":' * 50_000,
    b"x" * MEGABYTE,
    b'{"session_id":"' + b"y" * (MEGABYTE - 20) + b'"}',
    b'{"session_id":"big","sample_rate":16000,"channels":1,"sequence":0,"pcm":"' + b"A" * (MEGABYTE - 100) + b'"}',
]


def flood(bus: Bus, on: list[str]) -> None:
    payloads = [payload[: bus.max_payload] for payload in RAW + hostile_json()]
    bus.publish_all((name, payload, None) for subject in on for name in with_children(subject) for payload in payloads)
    bus.flush(20)


HEADERS = [
    {},
    {"Loqa-Session": ""},
    {"Loqa-Session": "s", "Loqa-Rate": "abc", "Loqa-Channels": "1"},
    {"Loqa-Session": "s", "Loqa-Rate": "-16000", "Loqa-Channels": "1"},
    {"Loqa-Session": "s", "Loqa-Rate": "0", "Loqa-Channels": "0"},
    {"Loqa-Session": "s", "Loqa-Rate": "99999999999999999999", "Loqa-Channels": "2"},
    {"Loqa-Session": "s", "Loqa-Rate": "16000", "Loqa-Channels": "255", "Loqa-Sequence": "-1"},
    {"Loqa-Session": "x" * 5000, "Loqa-Rate": "16000", "Loqa-Channels": "1"},
    {
        "Loqa-Session": "s",
        "Loqa-Rate": "16000",
        "Loqa-Channels": "1",
        "traceparent": "00-zz-zz-zz",
        "Loqa-Budget-Ms": "NaN",
    },
    {"Loqa-Session": "s", "Loqa-Rate": "16000", "Loqa-Channels": "1", "Loqa-Turn": "../..", "Loqa-Age-Ms": "-1e400"},
    {"Loqa-Session": "s", "Loqa-Rate": "16000", "Loqa-Channels": "1", "Loqa-Audio": "mp3", "Loqa-Final": "yes"},
]


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    one = Instance(tmp_path_factory.mktemp("garbage"))
    try:
        yield one.start()
    finally:
        one.destroy()


def expect_unharmed(target: Instance, before: dict[int, str], question: pcm.Clip) -> None:
    answer = client.Satellite(target.bus).ask_at_once(question, timeout=20)
    assert answer.outcome == "answered", target.log()[-3000:]
    assert target.processes() == before, f"a process ended\n{target.log()[-3000:]}"


@pytest.mark.parametrize("subject", subjects())
def test_garbage_ends_nothing(target: Instance, voices: Callable[[str, str], Path], subject: str) -> None:
    before = target.processes()
    flood(target.bus, [subject])

    expect_unharmed(target, before, pcm.read_wav(voices("flite-slt", "what time is it")))


@pytest.mark.parametrize(
    "subject", ["audio.pcm.s", "tts.pcm.s", "stt.text.final", "tts.request", "tts.cancel", "playback.started"]
)
def test_hostile_headers_end_nothing(target: Instance, voices: Callable[[str, str], Path], subject: str) -> None:
    before = target.processes()
    for headers in HEADERS:
        for payload in (
            b"",
            b"\x01",
            b"\x01\x02\x03",
            b"\x7f" * 640,
            b"z" * MEGABYTE,
            b'{"session_id":"s","text":"hello"}',
        ):
            target.bus.publish(subject, payload, headers)
    target.bus.flush(20)

    expect_unharmed(target, before, pcm.read_wav(voices("flite-slt", "what time is it")))


def test_garbage_of_a_component_ends_nothing(
    outer_bus: str, fresh_instance: Callable[..., Instance], voices: Callable[[str, str], Path]
) -> None:
    """On a bus without permissions anybody may say anything in anybody's name."""
    target = fresh_instance(environment={"LOQA_BUS_EMBEDDED": "false", "LOQA_BUS_SERVERS": outer_bus}).start()
    before = target.processes()
    flood(target.bus, subjects())

    expect_unharmed(target, before, pcm.read_wav(voices("flite-slt", "what time is it")))


def test_clients_may_not_speak_for_components(target: Instance) -> None:
    status = target.bus.subscribe("ctrl.component.status.*")

    target.bus.publish(
        "ctrl.component.status.stt", {"name": "stt", "node_id": "n", "state": "failed", "detail": "", "pid": 1}
    )
    target.bus.flush()

    status.get(5, lambda message: message.json()["name"] == "stt")
    assert all(message.json()["state"] == "ready" for message in status.drain() if message.json()["name"] == "stt")
    assert any("permissions violation" in error.lower() for error in target.bus.errors)
