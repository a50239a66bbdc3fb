"""What a speaker is sent: one thing at a time, nothing that was called off, as loud as was asked for."""

from collections.abc import Iterator

import pytest

import client
from bus import Bus, Inbox, Message

LONG = (
    "This is a long answer. It has many sentences, one after the other. Nobody wants to hear all of them. "
    "So somebody calls it off, in the middle of it. What was not said by then is not said at all. "
    "That holds for what waits in the speaker as well. And for what is still on its way."
)
PCM = {"Loqa-Audio": "pcm"}


def write(bus: Bus, session_id: str, text: str) -> None:
    """Says `text` to Loqa, as a client that has a speaker for raw PCM."""
    bus.publish("stt.text.final", {"session_id": session_id, "text": text, "partial": False, "confidence": 1}, PCM)


def generation(frame: Message) -> int:
    return int(frame.headers["Loqa-Generation"])


def frames_to_the_last(sound: Inbox) -> Iterator[Message]:
    while True:
        frame = sound.get(20)
        yield frame
        if frame.headers.get("Loqa-Final") == "1":
            return


def test_cancelled_speech_is_flushed_and_does_not_come_back(bus: Bus) -> None:
    target = client.new_session()
    sound, flushes = bus.subscribe(f"tts.pcm.{target}"), bus.subscribe(f"tts.flush.{target}")
    done = bus.subscribe("tts.done")
    bus.publish("tts.request", {"session_id": "long", "target": target, "text": LONG}, PCM)
    first = sound.get(20)

    bus.publish("tts.cancel", {"session_id": "long"})

    flush = flushes.get(5).json()
    assert flush["from"] <= generation(first) <= flush["generation"]
    assert done.of_session("long", 10).json()["error"] == "cancelled"
    sound.drain()  # all of it is here: tts.done comes last
    bus.publish("tts.request", {"session_id": "next", "target": target, "text": "Something else."}, PCM)
    for frame in frames_to_the_last(sound):
        assert generation(frame) > flush["generation"]


def test_no_frame_comes_behind_the_flush_that_calls_it_off(bus: Bus) -> None:
    """Called off while it is made and sent: a bit later each time."""
    done = bus.subscribe("tts.done")
    for frames in range(1, 9):
        target = client.new_session()
        sent = bus.subscribe(f"tts.*.{target}")  # both in one, in the order in which they were sent
        bus.publish("tts.request", {"session_id": target, "target": target, "text": f"{frames}. {LONG}"}, PCM)
        for _ in range(frames):
            called_off = generation(sent.get(20))

        bus.publish("tts.cancel", {"session_id": target})

        flush = sent.get(5, lambda message: message.subject == f"tts.flush.{target}")
        assert flush.json()["generation"] == called_off
        assert done.of_session(target, 10).json()["error"] == "cancelled"
        bus.flush()  # nothing of it is on its way any more
        assert [message.subject for message in sent.drain()] == []
        sent.close()
    done.close()


def test_one_thing_at_a_time_on_a_speaker(bus: Bus) -> None:
    target = client.new_session()
    sound, done = bus.subscribe(f"tts.pcm.{target}"), bus.subscribe("tts.done")
    for session_id in ("one", "two"):
        text = f"This is for {session_id}, and takes a while to be heard."
        bus.publish("tts.request", {"session_id": session_id, "target": target, "text": text}, PCM)
    first = list(frames_to_the_last(sound))
    bus.publish("playback.started", {"session_id": "one", "target": target, "generation": generation(first[0])})
    assert {frame.headers["Loqa-Session"] for frame in first} == {"one"}
    assert done.of_session("one", 10).json()["completed"]

    # An alarm does not wait, and is marked.
    bus.publish("tts.request", {"session_id": "alarm", "target": target, "text": "Fire!"}, PCM | {"Loqa-Priority": "alarm"})
    alarm = list(frames_to_the_last(sound))
    assert {frame.headers["Loqa-Session"] for frame in alarm} == {"alarm"}
    assert alarm[0].headers["Loqa-Duck"] == "begin"
    assert alarm[-1].headers["Loqa-Duck"] == "end"

    for frame, session_id in ((first[0], "one"), (alarm[0], "alarm")):
        stopped = {"session_id": session_id, "generation": generation(frame), "played_ms": 100, "completed": True}
        bus.publish("playback.stopped", stopped)
    assert {frame.headers["Loqa-Session"] for frame in frames_to_the_last(sound)} == {"two"}


@pytest.mark.parametrize("words", ["stop", "never mind"])
def test_stop_silences_at_any_moment(bus: Bus, words: str) -> None:
    session_id = client.new_session()
    sound, flushes = bus.subscribe(f"tts.pcm.{session_id}"), bus.subscribe(f"tts.flush.{session_id}")
    write(bus, session_id, "what can you do")
    first = sound.get(20)

    write(bus, session_id, words)

    assert flushes.get(5).json()["generation"] >= generation(first)


def test_repeat_is_what_was_heard(bus: Bus) -> None:
    session_id = client.new_session()
    replies, ended = bus.subscribe("session.reply"), bus.subscribe("session.ended")
    write(bus, session_id, "what can you do")
    heard = replies.of_session(session_id, 10).json()["text"]
    ended.of_session(session_id, 20)

    write(bus, session_id, "repeat that")

    assert replies.of_session(session_id, 10).json()["text"] == heard
    ended.of_session(session_id, 20)


def test_louder_and_quieter(bus: Bus) -> None:
    volumes = bus.subscribe("playback.volume")

    def volume() -> int:
        return volumes.get(10, lambda message: message.json().get("is", False)).json()["percent"]

    session_id = client.new_session()
    ended = bus.subscribe("session.ended")
    try:
        write(bus, session_id, "set your volume to 60 percent")
        assert volume() == 60
        ended.of_session(session_id, 20)
        write(bus, session_id, "speak up")
        assert volume() == 80
        ended.of_session(session_id, 20)
        write(bus, session_id, "a bit quieter")
        assert volume() == 60
    finally:
        bus.publish("playback.volume", {"target": "", "percent": 100})
        assert volume() == 100


def test_a_flood_is_refused_in_part_and_each_request_ends_once(bus: Bus) -> None:
    done = bus.subscribe("tts.done")
    sessions = [client.new_session() for _ in range(300)]
    bus.publish_all(
        ("tts.request", f'{{"session_id": "{session}", "target": "{session}", "text": "Okay."}}'.encode(), PCM)
        for session in sessions
    )

    ends: dict[str, list[dict]] = {session: [] for session in sessions}
    for _ in sessions:
        end = done.get(30, lambda message: message.session_id in ends).json()
        ends[end["session_id"]].append(end)

    assert [len(ended) for ended in ends.values()] == [1] * len(sessions)
    assert {ended[0].get("error", "") for ended in ends.values()} <= {"", "busy"}
    bus.publish("tts.request", {"session_id": "after", "text": "Still here."})
    assert done.of_session("after", 20).json()["completed"]
