"""A reply that is asked for while the voice is being loaded."""

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import client
from local_loqa import Instance

SLOW_VOICE = """
import base64, json, sys, time
asked = json.load(sys.stdin)
if asked["text"] == "Ready.":
    time.sleep(6)
print(json.dumps({"pcm_base64": base64.b64encode(bytes(2 * asked["sample_rate"])).decode(), "final": True}))
"""


def test_a_reply_does_not_wait_for_the_voice_to_be_loaded(
    fresh_instance: Callable[..., Instance], tmp_path: Path
) -> None:
    """loqa-tts is started again, and its voice takes six seconds."""
    program = tmp_path / "slow_voice.py"
    program.write_text(SLOW_VOICE)
    instance = fresh_instance(
        environment={"LOQA_TTS_MODE": "exec", "LOQA_TTS_COMMAND": f"{sys.executable} {program}"}
    ).start()
    bus = instance.bus
    degraded, readiness = bus.subscribe("session.degraded"), bus.subscribe("ctrl.readiness")
    assert client.say_in_writing(bus, "what time is it", client.new_session())["outcome"] == "answered"
    assert not degraded.drain()

    # Not what it has just forked, to speak.
    synthesiser = min(pid for pid, name in instance.processes().items() if name == "loqa-tts")
    os.kill(synthesiser, signal.SIGKILL)
    began = time.monotonic()
    session = client.new_session()
    assert client.say_in_writing(bus, "what time is it", session)["outcome"] == "answered"
    took = time.monotonic() - began
    told = [message.json() for message in degraded.drain() if message.session_id == session]
    assert [(each["stage"], each["message"]) for each in told] == [("tts", "the voice is still being loaded")]
    assert took < 5, "it was waited for"

    readiness.get(20, lambda message: message.json()["ready"])
    session = client.new_session()
    assert client.say_in_writing(bus, "what time is it", session)["outcome"] == "answered"
    assert not [message for message in degraded.drain() if message.session_id == session]
