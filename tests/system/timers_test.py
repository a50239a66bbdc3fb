"""Timers and alarms, as their owner sees them: they ring until somebody stops them, and outlive what happens to Loqa."""

import os
import signal
import time
from collections.abc import Callable, Iterator

import pytest

import client
from bus import Bus, Inbox
from local_loqa import Instance


def by_label(instance: Instance) -> dict[str, dict]:
    return {timer["label"]: timer for timer in instance.loqa_json("timers")["timers"]}


def say(instance: Instance, text: str, session: str = "timers-test", **headers: str) -> dict:
    return client.say_in_writing(instance.bus, text, session, **headers)


def rings(replies: Inbox, timeout: float) -> str:
    return replies.get(timeout, lambda message: message.json()["intent"] == "timer.ring").json()["text"]


@pytest.fixture(scope="module")
def kitchen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """Impatient, so that a test need not wait long for the second announcement."""
    own = Instance(tmp_path_factory.mktemp("timers"), environment={"LOQA_TIMERS_RING_PAUSE_MS": "500"})
    try:
        yield own.start()
    finally:
        own.destroy()


@pytest.fixture(autouse=True)
def none_left(kitchen: Instance) -> Iterator[None]:
    yield
    for timer in kitchen.bus.request("timers.list")["timers"]:
        kitchen.bus.request("timers.cancel", {"id": timer["id"]})


def test_a_ring_is_repeated_until_somebody_says_stop(kitchen: Instance) -> None:
    replies = kitchen.bus.subscribe("session.reply")
    assert kitchen.loqa("timers", "start", "1s", "egg").returncode == 0
    assert rings(replies, 10) == "Your egg timer is done."
    assert rings(replies, 15) == "Your egg timer is done."

    assert say(kitchen, "stop")["outcome"] == "answered"

    replies.drain()
    assert by_label(kitchen) == {}
    with pytest.raises(TimeoutError):
        rings(replies, 1.5)
    replies.close()


def test_a_ring_is_put_off(kitchen: Instance) -> None:
    replies = kitchen.bus.subscribe("session.reply")
    kitchen.loqa("timers", "start", "1s", "tea")
    rings(replies, 10)

    assert say(kitchen, "snooze for two seconds")["reply"] == "Okay, again in 2 seconds."

    assert by_label(kitchen)["tea"]["snoozed"]
    assert rings(replies, 15) == "Your tea timer is done."
    assert kitchen.loqa("timers", "stop", "tea").returncode == 0
    assert by_label(kitchen) == {}
    replies.close()


def test_all_of_it_by_voice(kitchen: Instance) -> None:
    conversation = [
        ("set a pasta timer for ten minutes", "Pasta timer set for 10 minutes."),
        ("set a timer for three hours", "Timer set for 3 hours."),
        ("pause the pasta timer", None),
        ("add five minutes to the pasta timer", None),
        ("wake me at seven every weekday", "Alarm set for 7 AM on weekdays."),
        ("cancel the second timer", "3 hour timer cancelled."),
    ]
    for words, reply in conversation:
        ended = say(kitchen, words)
        assert ended["outcome"] == "answered", ended
        assert reply is None or ended["reply"] == reply

    timers = by_label(kitchen)
    assert timers.keys() == {"pasta", ""}
    assert timers["pasta"]["state"] == "paused"
    assert 880 < timers["pasta"]["seconds_remaining"] <= 900
    assert timers[""]["kind"] == "alarm"
    assert timers[""]["at"] == "07:00"
    assert timers[""]["days"] == ["mon", "tue", "wed", "thu", "fri"]
    assert say(kitchen, "cancel all timers")["reply"] == "Timer cancelled."
    assert say(kitchen, "cancel all alarms")["reply"] == "Alarm cancelled."


def test_a_speaker_that_is_gone_is_not_waited_for(fresh_instance: Callable[..., Instance]) -> None:
    """A timer rings where it was set; where nothing plays it, at the speaker that played something last."""
    own = fresh_instance(environment={"LOQA_TIMERS_RING_PAUSE_MS": "500"}).start()
    bus = own.bus
    bus.publish("playback.started", {"session_id": "hall", "generation": 1})
    played, words, hall = bus.subscribe("tts.pcm.bedside"), bus.subscribe("tts.request"), bus.subscribe("tts.pcm.hall")

    def announced() -> str:
        """Where."""
        said = words.get(20, lambda m: m.json()["text"] == "Your timer is done.").json()
        return said.get("target") or said["session_id"]

    for there in (True, False):
        assert say(own, "set a timer for one second", "bedside", **{"Loqa-Audio": "pcm"})["outcome"] == "answered"
        played.drain()
        where = [announced()]
        if there:
            frame = played.get(10)
            generation = int(frame.headers["Loqa-Generation"])
            bus.publish("playback.started", {"session_id": frame.headers["Loqa-Session"], "target": "bedside", "generation": generation})
        hall.drain()
        where.append(announced())
        assert where == (["bedside", "bedside"] if there else ["bedside", "hall"])
        if not there:
            assert hall.get(10).data, "it sounds there"
        assert say(own, "stop", "bedside", **{"Loqa-Audio": "pcm"})["outcome"] == "answered"
        assert bus.request("timers.list")["timers"] == []
        words.drain()


def test_what_is_lacking_is_asked_for(kitchen: Instance) -> None:
    conversation = [
        ("set a pasta timer", "For how long?"),
        ("ten minutes", "Pasta timer set for 10 minutes."),
        ("set a timer for twenty minutes", "Timer set for 20 minutes."),
        ("cancel my timer", "There are 2 timers: the pasta timer and the 20 minute timer. Which one should I cancel?"),
        ("the pasta timer", "Pasta timer cancelled."),
        ("set an alarm", "For what time should the alarm be?"),
        ("half past seven every day", "Alarm set for 7:30 AM every day."),
    ]
    listens = kitchen.bus.subscribe("session.listen")
    for words, reply in conversation:
        ended = say(kitchen, words, "lacking")
        assert ended["reply"] == reply
        if reply.endswith("?"):
            assert listens.of_session("lacking", 20).json()["expects"] == "words"
    listens.close()


def test_commands_change_timers_and_say_what_is_wrong(kitchen: Instance) -> None:
    assert kitchen.loqa_json("timers", "start", "1h30m", "bread")["timer"]["duration_s"] == 5400
    assert kitchen.loqa_json("timers", "add", "30m", "bread")["timer"]["seconds_remaining"] > 7100
    assert kitchen.loqa_json("timers", "add", "1h", "bread", "--less")["timer"]["seconds_remaining"] <= 3600
    assert kitchen.loqa_json("timers", "pause", "bread")["timer"]["state"] == "paused"
    assert kitchen.loqa_json("timers", "resume", "bread")["timer"]["state"] == "running"
    assert kitchen.loqa_json("timers", "alarm", "6 pm on sundays", "church")["timer"]["days"] == ["sun"]
    shown = kitchen.loqa("timers").stdout
    assert "bread" in shown and "18:00 sun" in shown

    nonsense = kitchen.loqa("timers", "alarm", "when the cows come home")
    assert nonsense.returncode == 2
    assert "no time that is understood" in nonsense.stderr
    assert kitchen.loqa("timers", "pause", "soup").returncode == 1
    assert kitchen.loqa("timers", "start", "soon").returncode == 2


def test_states_survive_a_kill(kitchen: Instance) -> None:
    for command in (["start", "1h", "bread"], ["pause", "bread"], ["start", "2h", "roast"], ["alarm", "7 am every day"]):
        assert kitchen.loqa("timers", *command).returncode == 0
    before = kitchen.bus.request("timers.list")["timers"]
    changes = kitchen.bus.subscribe("ctrl.readiness")

    os.kill(kitchen.pid("loqad"), signal.SIGKILL)
    changes.get(15, lambda message: message.json()["ready"])

    after = kitchen.bus.request("timers.list")["timers"]


    def facts(timers: list[dict]) -> dict[str, list]:
        same = ["id", "kind", "state", "duration_s", "target", "snoozed"]
        return {timer["label"]: [timer[key] for key in same] for timer in timers}

    assert facts(after) == facts(before)
    ends = {timer["label"]: timer["ends_at"] for timer in before}
    for timer in after:
        if timer["state"] == "running":
            assert timer["ends_at"] == ends[timer["label"]]
        else:
            assert timer["seconds_remaining"] == 3600
    changes.close()


@pytest.mark.slow
def test_what_was_missed_rings_late_and_says_so(
    outer_bus: str, fresh_instance: Callable[..., Instance]
) -> None:
    settings = {"LOQA_BUS_EMBEDDED": "false", "LOQA_BUS_SERVERS": outer_bus}
    first = fresh_instance(environment=settings).start()
    assert first.loqa("timers", "start", "2s", "soup", "--nats", outer_bus).returncode == 0
    assert first.stop() == 0
    time.sleep(5)  # the timer runs out while nothing runs: there is no event to wait for

    second = fresh_instance(environment=settings, data=first.data)
    second.launch()
    listening = Bus(outer_bus)
    try:
        text = rings(listening.subscribe("session.reply"), 30)
    finally:
        listening.close()
    assert text.startswith("Sorry, your soup timer ended ")
    assert text.endswith(" ago, while I was away.")
