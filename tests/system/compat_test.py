"""Clients of loqa-core work unchanged."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from compat_client import Client, Reply

import pcm
import spoken
from local_loqa import Instance


def as_client(instance: Instance, work: Callable[[Client], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        client = await Client.connect(instance.addresses()["nats_url"])
        try:
            return await work(client)
        finally:
            await client.close()

    return asyncio.run(run())


def check_frames(reply: Reply, chunk_limit_ms: float = 400) -> None:
    assert reply.completed
    assert reply.sequences == list(range(len(reply.sequences))), "frames in order, none lost"
    assert reply.channels == 1
    assert reply.longest_chunk_ms <= chunk_limit_ms + 1, "no chunk longer than tts.chunk_duration_ms"


def clip_of(reply: Reply) -> pcm.Clip:
    return pcm.Clip(reply.sample_rate, reply.pcm, reply.channels)


@pytest.mark.parametrize(
    "how",
    [
        pytest.param({}, id="audio.frame, end never marked"),
        pytest.param({"subject_of_session": True}, id="audio.frame.ID, end never marked"),
        pytest.param({"mark_end": True}, id="audio.frame, final true"),
        pytest.param({"subject_of_session": True, "mark_end": True}, id="audio.frame.ID, final true"),
    ],
)
@pytest.mark.usefixtures("no_timers")
def test_speech_is_answered_in_speech(
    instance: Instance, voices: Callable[[str, str], Path], recogniser: Callable[[pcm.Clip], str], how: dict
) -> None:
    question = voices("flite-slt", "set a timer for ten minutes")

    reply = as_client(instance, lambda client: client.say(str(question), **how))

    assert spoken.says(reply.transcript, "set a timer for ten minutes")
    check_frames(reply)
    assert spoken.says(recogniser(clip_of(reply)), "ten minutes")
    (timer,) = instance.bus.request("timers.list")["timers"]
    assert timer["duration_s"] == 600


def test_published_transcript_is_answered(instance: Instance, recogniser: Callable[[pcm.Clip], str]) -> None:
    reply = as_client(instance, lambda client: client.ask("what is the date today"))

    check_frames(reply)
    today = datetime.now()
    heard = recogniser(clip_of(reply))
    assert spoken.says(heard, f"{today:%B}"), heard
    assert spoken.says(heard, str(today.day)), heard


def test_text_is_spoken(instance: Instance, recogniser: Callable[[pcm.Clip], str]) -> None:
    text = "The washing machine has finished, and the kitchen window is still open."

    reply = as_client(instance, lambda client: client.speak(text))

    check_frames(reply)
    heard = recogniser(clip_of(reply))
    assert spoken.likeness(text, heard) > 0.8, heard


def test_sound_comes_in_pieces_and_before_the_end_of_synthesis(instance: Instance) -> None:
    text = (
        "This is a rather long announcement, so that the first of it can be heard while the rest is still being made. "
        * 3
    )

    reply = as_client(instance, lambda client: client.speak(text, timeout=30))

    check_frames(reply)
    assert reply.arrivals[0] < reply.done / 2


def test_each_target_is_named_in_its_own_answer(instance: Instance) -> None:
    async def both(client: Client) -> list[Reply]:
        return await asyncio.gather(
            client.speak("Dinner is ready.", target="kitchen"), client.speak("Bed time.", target="bedroom")
        )

    kitchen, bedroom = as_client(instance, both)

    check_frames(kitchen)
    check_frames(bedroom)
    assert kitchen.targets == {"kitchen"}
    assert bedroom.targets == {"bedroom"}


def test_empty_text_is_done_at_once(instance: Instance) -> None:
    reply = as_client(instance, lambda client: client.speak(""))

    assert reply.pcm == b""


def test_two_clients_each_get_their_own_answer(
    instance: Instance, voices: Callable[[str, str], Path], recogniser: Callable[[pcm.Clip], str]
) -> None:
    async def both(client: Client) -> list[Reply]:
        return await asyncio.gather(
            client.say(str(voices("flite-slt", "what time is it"))),
            client.say(str(voices("flite-rms", "what is the date today"))),
        )

    time_reply, date_reply = as_client(instance, both)

    check_frames(time_reply)
    check_frames(date_reply)
    assert spoken.says(recogniser(clip_of(date_reply)), f"{datetime.now():%B}")
    assert not spoken.says(recogniser(clip_of(time_reply)), f"{datetime.now():%B}")
