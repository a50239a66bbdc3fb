"""What is told again reaches the process that knows, and is not answered beside its answer."""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import client
import pcm
from bus import Bus
from local_loqa import Instance

SENTENCE = "set a timer for ten minutes"
INTENT = "HassStartTimer"


def test_of_two_loqad_the_one_that_took_up_a_turn_is_told_again(
    outer_bus: str, fresh_instance: Callable[..., Instance], voices: Callable[[str, str], Path]
) -> None:
    """Who handles the intent is so slow that the transcript is told again and again meanwhile."""
    on_it = {"LOQA_BUS_EMBEDDED": "false", "LOQA_BUS_SERVERS": outer_bus}
    alone = {"LOQA_STT_ENABLED": "false", "LOQA_TTS_ENABLED": "false", "LOQA_NODE_ID": "second"}
    fresh_instance(environment=on_it).start()
    fresh_instance(environment=on_it | alone).start()
    bus = Bus(outer_bus)
    # `ready` of the second may have been the first one's.
    statuses, there = bus.subscribe("ctrl.component.status.loqad"), set()
    while len(there) < 2:
        there.add(statuses.get(20, lambda message: message.json()["state"] == "ready").json()["pid"])
    question = pcm.read_wav(voices("flite-slt", SENTENCE))
    inboxes = {
        name: bus.subscribe(name)
        for name in ("stt.text.again", f"intent.{INTENT}", "session.ended", "tts.request", "session.degraded")
    }
    try:
        for _ in range(4):
            bus.publish("intent.declare", {"handler": "slow", "intents": [INTENT]})
            session = client.new_session()
            client.send_at_once(bus, session, question)
            asked = inboxes[f"intent.{INTENT}"].get(10)
            for _ in range(2):
                inboxes["stt.text.again"].of_session(session, 5)
            bus.publish(asked.reply, {"handled": True, "speech": "It is set."})
            ended = inboxes["session.ended"].of_session(session, 10).json()

            assert (ended["outcome"], ended["reply"]) == ("answered", "It is set.")
            assert [m.json()["text"] for m in inboxes["tts.request"].drain() if m.session_id == session] == ["It is set."]
            assert not inboxes[f"intent.{INTENT}"].drain(), "asked for twice"
            assert not [m.json() for m in inboxes["session.degraded"].drain() if m.session_id == session]
            with contextlib.suppress(TimeoutError):
                twice = inboxes["session.ended"].of_session(session, 0.7)
                raise AssertionError(f"ended twice: {twice.json()}")
    finally:
        bus.close()


def test_who_takes_up_an_interrupted_turn_does_not_apologise_over_its_answer(bus: Bus) -> None:
    """As where loqad is killed when it has asked for the words, before it can say that they are spoken."""
    session, turn = client.new_session(), os.urandom(16).hex()
    sound, ended = bus.subscribe(f"tts.pcm.{session}"), bus.subscribe("session.ended")
    headers = {"Loqa-Turn": turn, "Loqa-Audio": "pcm"}
    try:
        words = f"This is the answer for {' '.join(session[-6:])}. It goes on for a while, so that it is heard."
        bus.publish("tts.request", {"session_id": session, "text": words}, headers)
        frames = [sound.get(10)]
        bus.publish(
            "stt.text.again",
            {"session_id": session, "text": SENTENCE, "partial": False, "reason": "speech_end"},
            headers | {"Loqa-Again": "deciding"},
        )
        assert ended.of_session(session, 15).json()["reason"] == "restarted"
        with contextlib.suppress(TimeoutError):
            while True:
                frames.append(sound.get(0.5))
        assert len({frame.headers["Loqa-Generation"] for frame in frames}) == 1, "the apology was said as well"
        assert frames[-1].headers.get("Loqa-Final") == "1", "the answer was cut off"
    finally:
        for inbox in (sound, ended):
            inbox.close()
