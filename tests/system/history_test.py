"""What is kept of past turns: sessions, replay, and that what is private leaves nothing behind."""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import client
import pcm
from local_loqa import Instance

# Words that no file of Loqa has.
SECRET = "xylophone"
KNOWN = "glockenspiel"


def say(instance: Instance, text: str, session: str, **headers: str) -> dict:
    return client.say_in_writing(instance.bus, text, session, **headers)


@pytest.fixture(scope="module")
def talkative(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """Logs all it can, so that what is not in its log is in no log."""
    own = Instance(
        tmp_path_factory.mktemp("history"),
        environment={"LOQA_TELEMETRY_LOG_LEVEL": "trace", "LOQA_TIMERS_RING_PAUSE_MS": "500"},
    )
    try:
        yield own.start()
    finally:
        own.destroy()


def test_a_session_is_listed_shown_exported_replayed_and_deleted(talkative: Instance) -> None:
    session = "history-1"
    say(talkative, f"set a {KNOWN} timer for ten minutes", session)
    say(talkative, "what time is it", session)
    say(talkative, "colourless green ideas", session)

    (row,) = [s for s in talkative.loqa_json("sessions")["sessions"] if s["session_id"] == session]
    assert row["privacy_scope"] == "session"
    events = talkative.loqa_json("sessions", "show", session)["events"]
    assert [e["type"] for e in events][:5] == ["turn.heard", "turn.intent", "turn.action", "turn.reply", "turn.ended"]
    intent = events[1]["payload"]
    assert intent["commands"][0]["slots"] == {"name": KNOWN, "minutes": "10"}
    exported = talkative.loqa("sessions", "export", session, "--json").stdout.splitlines()
    assert [json.loads(line)["id"] for line in exported] == [e["id"] for e in events]
    assert KNOWN in talkative.loqa("sessions", "show", session).stdout

    before = talkative.bus.request("timers.list")["timers"]
    replayed = talkative.loqa("replay", session)
    assert replayed.returncode == 0, replayed.stdout
    assert replayed.stdout.count("same") == 3
    assert [t["id"] for t in talkative.bus.request("timers.list")["timers"]] == [t["id"] for t in before], "it was done"

    assert talkative.loqa("sessions", "delete", session).returncode == 0
    gone = talkative.loqa("sessions", "show", session)
    assert gone.returncode == 1
    assert "no session" in gone.stderr
    assert talkative.loqa("replay", session).returncode == 1


def test_replay_shows_what_changed(talkative: Instance) -> None:
    session = "history-2"
    say(talkative, "set a timer for ten minutes", session)
    talkative.loqa_json("sessions", "show", session)  # written now
    # As if it had been understood otherwise then.
    with sqlite3.connect(talkative.data / "events.db", timeout=10) as database:
        changed = database.execute(
            "UPDATE events SET payload = replace(payload, '10', '15') WHERE session_id = ? AND event_type <> 'turn.heard'",
            (session,),
        )
        assert changed.rowcount >= 2

    replayed = talkative.loqa("replay", session)

    assert replayed.returncode == 1
    assert "- HassStartTimer minutes=15" in replayed.stdout
    assert "+ HassStartTimer minutes=10" in replayed.stdout
    (turn,) = [json.loads(line) for line in talkative.loqa("replay", session, "--json").stdout.splitlines()]
    assert {d["what"] for d in turn["differences"]} == {"intent", "reply"}


def test_a_turn_is_replayed_from_its_sound(
    fresh_instance: Callable[..., Instance], voices: Callable[[str, str], Path]
) -> None:
    instance = fresh_instance(environment={"LOQA_EVENT_STORE_KEEP_AUDIO": "true"}).start()
    question = pcm.read_wav(voices("flite-slt", "set a timer for ten minutes"))
    sounds = instance.bus.subscribe("stt.audio.*")

    def ask(session: str, **headers: str) -> None:
        with client.Satellite(instance.bus, session) as satellite:
            client.send_at_once(instance.bus, session, question, **headers)
            assert satellite.answer(20).outcome == "answered"

    ask("loud")
    ask("private", **{"Loqa-Privacy": "ephemeral"})
    instance.loqa_json("sessions")
    timers = instance.bus.request("timers.list")["timers"]
    assert [message.headers["Loqa-Session"] for message in sounds.drain()] == ["loud"]
    (kept,) = (instance.data / "sound").rglob("*.pcm")
    assert kept.stat().st_mode & 0o077 == 0
    assert kept.stat().st_size > question.seconds * 16_000

    same = instance.loqa("replay", "loud", "--json")
    assert same.returncode == 0, same.stdout + same.stderr
    turn = json.loads(same.stdout)
    assert turn["from_sound"]
    assert turn["differences"] == []

    # Other words in the same place: the recogniser hears them, and all that follows is another.
    other = pcm.read_wav(voices("flite-slt", "what time is it"))
    kept.write_bytes(other.data)
    changed = instance.loqa("replay", "loud", "--json")
    assert changed.returncode == 1
    assert {"transcript", "intent"} <= {each["what"] for each in json.loads(changed.stdout)["differences"]}

    assert len(instance.bus.request("timers.list")["timers"]) == len(timers), "it was done"
    assert instance.loqa("sessions", "delete", "loud").returncode == 0
    assert list((instance.data / "sound").rglob("*.pcm")) == []


def test_an_ephemeral_turn_leaves_no_word_anywhere(
    talkative: Instance, voices: Callable[[str, str], Path]
) -> None:
    bus = talkative.bus
    spans = bus.subscribe("trace.spans")
    private = {"Loqa-Privacy": "ephemeral"}
    replies = bus.subscribe("session.reply")
    assert say(talkative, f"set a {SECRET} timer for one second", "private-1", **private)["outcome"] == "answered"
    rang = replies.get(15, lambda message: message.json()["intent"] == "timer.ring").json()
    assert SECRET in rang["text"], "whoever is in the room may hear it"
    say(talkative, "stop", "private-1", **private)
    say(talkative, f"the {SECRET} means nothing", "private-1", **private)
    assert say(talkative, f"add a {SECRET} to my shopping list", "private-1", **private)["outcome"] == "answered"
    assert say(talkative, f"play {SECRET} on the kitchen radio", "private-1", **private)["outcome"] == "answered"
    assert say(talkative, f"set a {SECRET} timer for one hour", "private-1", **private)["outcome"] == "answered"
    assert say(talkative, f"set a {SECRET} timer", "private-1", **private)["reply"].endswith("?")
    question = pcm.read_wav(voices("flite-slt", "add pineapple to my shopping list"))
    with client.Satellite(bus, "private-2") as satellite:
        client.send_at_once(bus, "private-2", question, **private)
        spoken = satellite.answer(30).heard.rstrip(".")
    assert len(spoken) > 10
    # The same without the header is kept: what is looked for can be found.
    say(talkative, f"set a {KNOWN} timer for one hour", "public-1")
    say(talkative, f"cancel the {KNOWN} timer", "public-1")
    say(talkative, "add bread to my shopping list", "public-1")
    talkative.loqa_json("sessions")
    time.sleep(1)  # spans come in batches, with no event for the last

    def found(word: str) -> list[str]:
        files = [path for path in talkative.data.rglob("*") if path.is_file()] + [talkative.log_file]
        return [str(path) for path in files if word.encode() in path.read_bytes()]

    assert any("events.db" in path for path in found(KNOWN))
    assert found(SECRET) == []
    assert found(spoken) == []
    assert found("pineapple") == []
    assert all(SECRET not in message.data.decode(errors="replace") for message in spans.drain())
    assert "private-1" not in talkative.loqa("sessions").stdout
    spans.close()
    replies.close()


def test_what_was_written_survives_a_kill(talkative: Instance) -> None:
    say(talkative, "what time is it", "killed-1")
    talkative.loqa_json("sessions")
    changes = talkative.bus.subscribe("ctrl.readiness")

    os.kill(talkative.pid("loqad"), signal.SIGKILL)
    changes.get(15, lambda message: message.json()["ready"])

    types = [e["type"] for e in talkative.loqa_json("sessions", "show", "killed-1")["events"]]
    assert types[0] == "turn.heard"
    assert types[-1] == "turn.ended"
    assert say(talkative, "what time is it", "killed-2")["outcome"] == "answered"
    changes.close()


def test_turns_in_flight_end_when_loqad_is_asked_to(talkative: Instance) -> None:
    bus = talkative.bus
    changes = bus.subscribe("ctrl.readiness")
    states, ended = bus.subscribe("session.state"), bus.subscribe("session.ended")
    victim = talkative.pid("loqad")
    sessions = [f"flight-{i}" for i in range(12)]
    for session in sessions:
        bus.publish("stt.text.final", {"session_id": session, "text": "what time is it", "partial": False})
    states.of_session(sessions[-1], 10)

    os.kill(victim, signal.SIGTERM)
    changes.get(15, lambda message: message.json()["ready"])
    bus.flush()

    over = [message.session_id for message in ended.drain()]
    assert sorted(s for s in over if s in sessions) == sorted(sessions), "each ends, and once"
    for inbox in (changes, states, ended):
        inbox.close()


def test_what_is_too_old_or_too_much_is_deleted_and_fresh_events_of_old_sessions_stay(
    fresh_instance: Callable[..., Instance],
) -> None:
    first = fresh_instance().start()
    for session in ("silent", "old", "long", "fresh"):
        say(first, "what time is it", session)
    say(first, "what is the date", "long")
    before = {s["session_id"]: s["events"] for s in first.loqa_json("sessions")["sessions"]}
    assert first.stop() == 0
    older = "UPDATE events SET created_at = strftime('%Y-%m-%dT%H:%M:%fZ', created_at, ?) WHERE session_id = ? AND id <= ?"
    with contextlib.closing(sqlite3.connect(first.data / "events.db")) as file, file:
        ids = [i for (i,) in file.execute("SELECT id FROM events WHERE session_id = 'long' ORDER BY id")]
        file.execute(older, ("-1 hour", "silent", 1_000_000))
        file.execute(older, ("-40 days", "old", 1_000_000))
        file.execute(older, ("-40 days", "long", ids[len(ids) // 2 - 1]))

    second = fresh_instance(environment={"LOQA_EVENT_STORE_MAX_SESSIONS": "2"}, data=first.data).start()

    def kept() -> dict[str, int]:
        return {s["session_id"]: s["events"] for s in second.loqa_json("sessions")["sessions"]}

    deadline = time.monotonic() + 20
    while "silent" in kept() and time.monotonic() < deadline:  # it deletes beside its work, and tells nobody
        time.sleep(0.1)
    assert kept() == {"long": len(ids) - len(ids) // 2, "fresh": before["fresh"]}


def test_a_damaged_file_is_put_aside_and_timers_stay(fresh_instance: Callable[..., Instance]) -> None:
    first = fresh_instance().start()
    first.loqa("timers", "start", "1h", "bread")
    say(first, "what time is it", "before-1")
    first.loqa_json("sessions")
    first.stop()
    events = first.data / "events.db"
    size = events.stat().st_size
    with events.open("r+b") as file:
        file.seek(4096)
        file.write(b"\x5a" * (size - 4096))

    second = fresh_instance(data=first.data).start()

    assert [t["label"] for t in second.bus.request("timers.list")["timers"]] == ["bread"]
    assert list(first.data.glob("events.db.damaged-*"))
    assert "events.db is damaged" in second.log()
    assert second.loqa_json("sessions")["sessions"] == []
    assert say(second, "what time is it", "after-1")["outcome"] == "answered"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(folder)], capture_output=True, text=True
    )
    if mounted.returncode != 0:
        pytest.skip(f"no small disk here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=False)


@pytest.mark.slow
def test_a_full_disk_is_said_and_costs_nothing_that_was_accepted(
    fresh_instance: Callable[..., Instance], small_disk: Path
) -> None:
    data = small_disk / "data"
    instance = fresh_instance(data=data, environment={"LOQA_EVENT_STORE_PATH": str(data / "events.db")}).start()
    say(instance, "set a timer for one hour", "disk-1")
    filler = small_disk / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(b"x" * 4096):
            pass

    refused = [say(instance, f"set a {KNOWN * 8} timer for {i} minutes", "disk-2") for i in range(2, 12)]
    answered = say(instance, "what time is it", "disk-3")

    assert answered["outcome"] == "answered", "it goes on answering"
    assert refused[-1]["outcome"] == "apologised"
    assert "could not be saved" in refused[-1]["reply"]
    accepted = [turn for turn in refused if turn["outcome"] == "answered"]
    assert len(instance.bus.request("timers.list")["timers"]) == 1 + len(accepted), "what was promised is there"
    filler.unlink()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        kept = {s["session_id"] for s in instance.loqa_json("sessions")["sessions"]}
        if {"disk-1", "disk-2", "disk-3"} <= kept:
            break
        time.sleep(0.2)
    assert {"disk-1", "disk-2", "disk-3"} <= kept, "what waited for room is written"
    assert "the disk is full" in instance.log()
