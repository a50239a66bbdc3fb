"""What cannot be read is dropped: nothing that arrives on the bus ends a process or takes the next turn away."""

import contextlib
import json
import re
import socket
import urllib.parse
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


def damaged(frames: list[bytes], how: str) -> list[tuple[int, bytes]]:
    """The frames of a question with their numbers, as a bad network delivers them."""
    numbered = list(enumerate(frames))
    if how == "twice":
        return [frame for frame in numbered for _ in range(2)]
    if how == "in another order":
        return [frame for i in range(0, len(numbered), 2) for frame in reversed(numbered[i : i + 2])]
    if how == "with holes":
        return [frame for frame in numbered if frame[0] % 10 != 9]
    if how == "with nothing in between":
        return [each for frame in numbered for each in (frame, (frame[0], b""))]
    raise AssertionError(how)


@pytest.mark.parametrize("how", ["twice", "in another order", "with holes", "with nothing in between"])
def test_frames_that_a_network_mangled_are_a_turn_nevertheless(
    target: Instance, voices: Callable[[str, str], Path], how: str
) -> None:
    question = pcm.read_wav(voices("flite-slt", "what time is it"))
    before = target.processes()
    with client.Satellite(target.bus) as satellite:
        frames = damaged(list(question.frames()), how)
        target.bus.publish_all(
            (
                f"audio.pcm.{satellite.session_id}",
                data,
                client.audio_headers(satellite.session_id, number, question, final=i + 1 == len(frames)),
            )
            for i, (number, data) in enumerate(frames)
        )
        answer = satellite.answer(20)
        assert answer.outcome in ("answered", "apologised")
        assert [end.session_id for end in satellite.ended.drain()].count(satellite.session_id) == 0, "it ended once"
    expect_unharmed(target, before, question)


@pytest.mark.parametrize(("rate", "changes"), [(8_000, False), (11_025, False), (48_000, False), (16_000, True)])
def test_a_rate_that_is_not_the_sounds_own_is_a_turn_nevertheless(
    target: Instance, voices: Callable[[str, str], Path], rate: int, changes: bool
) -> None:
    """Said to be slower or faster than it is, or another in each frame."""
    question = pcm.read_wav(voices("flite-slt", "what time is it"))
    before = target.processes()
    with client.Satellite(target.bus) as satellite:
        frames = list(question.frames())
        for i, data in enumerate(frames):
            said = pcm.Clip(rate + 1_000 * (i % 7) if changes else rate, b"")
            headers = client.audio_headers(satellite.session_id, i, said, final=i + 1 == len(frames))
            target.bus.publish(f"audio.pcm.{satellite.session_id}", data, headers)
        assert satellite.answer(20).outcome in ("answered", "apologised", "nothing_heard")
    expect_unharmed(target, before, question)


def test_ten_megabytes_are_refused_and_harm_nobody(target: Instance, voices: Callable[[str, str], Path]) -> None:
    """The private server takes 2 MiB: a client that sends more is cut off, and alone. The others go on."""
    before = target.processes()
    question = pcm.read_wav(voices("flite-slt", "what time is it"))
    address = urllib.parse.urlsplit(target.addresses()["nats_url"])
    for subject in ("audio.pcm.big", "stt.text.final", "tts.request"):
        with socket.create_connection((address.hostname, address.port), timeout=5) as raw:
            login = {"user": address.username, "pass": address.password, "verbose": False}
            raw.sendall(f"CONNECT {json.dumps(login)}\r\nPING\r\n".encode())
            raw.settimeout(5)
            seen = b""
            while b"PONG" not in seen:
                seen += raw.recv(4096)
            with contextlib.suppress(ConnectionError):
                raw.sendall(f"PUB {subject} {10 * MEGABYTE}\r\n".encode() + b"x" * (10 * MEGABYTE) + b"\r\n")
            answer = b""
            with contextlib.suppress(ConnectionError):
                while block := raw.recv(4096):
                    answer += block
            assert b"Maximum Payload" in answer or answer == b""

    expect_unharmed(target, before, question)


def test_a_message_of_the_largest_size_is_taken(target: Instance, voices: Callable[[str, str], Path]) -> None:
    """A minute of silence in pieces of the largest size, and a question behind it in the same stream."""
    question = pcm.read_wav(voices("flite-slt", "what time is it"))
    before = target.processes()
    with client.Satellite(target.bus) as satellite:
        quiet = pcm.Clip(question.rate_hz, b"\0" * MEGABYTE)
        for i in range(2):
            headers = client.audio_headers(satellite.session_id, i, quiet)
            target.bus.publish(f"audio.pcm.{satellite.session_id}", quiet.data, headers)
        headers = client.audio_headers(satellite.session_id, 2, question, final=True)
        target.bus.publish(f"audio.pcm.{satellite.session_id}", question.data, headers)
        assert satellite.answer(30).outcome == "answered"
    expect_unharmed(target, before, question)
