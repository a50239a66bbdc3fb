"""What is asked is done: things of the home change, are seen to, and stay so."""

import json
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import local_loqa
from bus import Bus
from client import new_session, say_in_writing
from local_loqa import Instance

WORD_OF_MY_OWN = """
language: en
intents:
  MyGreeting:
    data:
      - sentences: ["sesame seed bun"]
responses:
  intents:
    MyGreeting:
      default: "The bakery is {reply}"
"""
BROKEN = "language: en\nintents:\n  Mine:\n    data:\n      - sentences: [unclosed\n"


class House:
    """One instance with a home and a folder of sentences of its own."""

    def __init__(self, instance: Instance, sentences: Path) -> None:
        self.instance = instance
        self.sentences = sentences

    def ask(self, text: str, session: str | None = None, area: str | None = None) -> dict:
        options = [*(["--session", session] if session else []), *(["--area", area] if area else [])]
        asked = self.instance.loqa("ask", "--no-audio", "--json", *options, text)
        assert asked.stdout, asked.stderr
        return json.loads(asked.stdout)  # an apology is an answer too, of exit code 1

    def things(self) -> dict[str, dict]:
        return {thing["id"]: thing for thing in self.instance.loqa_json("home")["entities"]}

    def state(self, thing: str) -> str:
        return self.things()[thing]["state"]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("house")
    sentences = folder / "sentences"
    sentences.mkdir()
    instance = Instance(folder, environment={"LOQA_SESSION_INTENTS_PATH": str(sentences), "LOQA_SESSION_CONFIRM": "beep"})
    try:
        yield House(instance.start(), sentences)
    finally:
        instance.destroy()


class Handler(threading.Thread):
    """A program that takes an intent, over nats-py."""

    def __init__(self, bus: Bus, intent: str, answer: dict | None) -> None:
        super().__init__(daemon=True)
        self.bus, self.intent, self.answer = bus, intent, answer
        self.requests = bus.subscribe(f"intent.{intent}")
        self.ending = False

    def run(self) -> None:
        while not self.ending:
            try:
                request = self.requests.get(0.2)
            except TimeoutError:
                continue
            if self.answer is not None:
                self.bus.publish(request.reply, self.answer)


@pytest.mark.parametrize(
    ("sentence", "reply", "thing", "state"),
    [
        ("turn on the porch light", "Turned on the porch light.", "light.porch", "on"),
        ("turn off the porch light", "Turned off the porch light.", "light.porch", "off"),
        ("turn on the kitchen lights", "Turned on the lights.", "light.counter", "on"),
        ("lock the front door", "Locked the front door.", "lock.front_door", "locked"),
        ("open the bedroom curtains", "Opening the bedroom curtains.", "cover.bedroom_curtains", "open"),
        ("pause the kitchen radio", "Paused.", "media_player.kitchen_radio", "paused"),
        ("start dusty", "Dusty starts cleaning.", "vacuum.dusty", "cleaning"),
        ("add milk to my shopping list", "Added milk.", "todo.shopping_list", "1"),
    ],
)
def test_a_command_acts(house: House, sentence: str, reply: str, thing: str, state: str) -> None:
    answer = house.ask(sentence)

    assert answer["outcome"] == "answered", answer
    assert answer["reply"] == reply
    assert house.state(thing) == state


def test_people_see_rooms_and_things(house: House) -> None:
    shown = house.instance.loqa("home").stdout

    assert "Kitchen, Ground Floor\n" in shown
    assert "Coffee Machine" in shown
    assert "switch.coffee_machine" in shown


def test_the_room_of_the_satellite_is_known(house: House) -> None:
    house.ask("turn on the lights", area="Office")

    assert house.state("light.desk_lamp") == "on"
    assert house.state("light.bathroom") == "off"


def test_an_unknown_room_is_named_and_nothing_happens(house: House) -> None:
    before = house.things()
    answer = house.ask("turn on the lights in the dungeon")

    assert answer["outcome"] == "apologised", answer
    assert "dungeon" in answer["reply"]
    assert house.things() == before


def test_several_commands_or_none(house: House) -> None:
    done = house.ask("turn on the bedside lamp and turn on the printer")
    assert done["outcome"] == "answered", done
    assert (house.state("light.bedside_lamp"), house.state("switch.printer")) == ("on", "on")

    before = house.things()
    house.ask("turn off the bedside lamp and turn off the flux capacitor")
    assert house.things() == before


def test_what_is_done_in_the_room_itself_is_confirmed_with_a_sound(house: House) -> None:
    spoken = house.instance.bus.subscribe("tts.request")
    for sentence, said in (("turn on the desk lamp", "\a"), ("turn on the laundry light", "Turned on the laundry light.")):
        answer = house.ask(sentence, area="Office")
        assert answer["outcome"] == "answered", answer
        assert spoken.get(5).json()["text"] == said
    spoken.close()


def test_what_was_put_off_is_listed_and_taken_back(house: House) -> None:
    session = new_session()
    house.ask("turn on the garage light in ten minutes", session)
    assert "command  turn on the garage" in house.instance.loqa("timers").stdout
    assert house.ask("what is planned")["reply"].startswith("One command is planned: turn on the garage light in ")
    assert house.ask("cancel that", session)["reply"] == "Okay, I won't turn on the garage light."
    house.ask("close the living room blinds tomorrow at seven")
    assert house.ask("don't close the living room blinds")["reply"] == "Okay, I won't close the living room blinds."
    assert house.instance.bus.request("timers.list")["timers"] == []


def test_a_private_command_for_later_runs_and_leaves_no_word(house: House) -> None:
    bus = house.instance.bus
    replies = bus.subscribe("session.reply")
    private = {"Loqa-Privacy": "ephemeral"}
    say_in_writing(bus, "turn on the coffee maker in two seconds", "private-1", **private)
    replies.get(15, lambda message: message.json()["text"].startswith("Turned on the coffee maker"))
    replies.close()

    assert house.state("switch.coffee_machine") == "on"
    files = [path for path in house.instance.data.rglob("*") if path.is_file()] + [house.instance.log_file]
    assert [str(path) for path in files if b"coffee maker" in path.read_bytes()] == []


def test_the_alarm_is_armed_at_a_word_and_disarmed_after_a_yes(house: House) -> None:
    session = new_session()
    assert house.ask("arm the alarm for the night")["outcome"] == "answered"
    assert house.state("alarm_control_panel.house") == "armed_night"
    assert house.ask("disarm the alarm", session)["reply"].endswith("?")
    assert house.state("alarm_control_panel.house") == "armed_night"
    house.ask("yes", session)
    assert house.state("alarm_control_panel.house") == "disarmed"


def test_what_opens_the_house_is_asked_about_first(house: House) -> None:
    session = new_session()
    asked = house.ask("unlock the back door", session)
    assert asked["reply"].endswith("?"), asked
    assert house.state("lock.back_door") == "locked"
    house.ask("no", session)
    assert house.state("lock.back_door") == "locked"

    house.ask("unlock the back door", session)
    done = house.ask("yes", session)
    assert done["outcome"] == "answered", done
    assert house.state("lock.back_door") == "unlocked"


def test_a_conversation_goes_on(house: House) -> None:
    session = new_session()
    house.ask("turn on the bathroom light", session)
    house.ask("turn it off again", session)
    assert house.state("light.bathroom") == "off"
    house.ask("turn on the lights in the bathroom", session)
    house.ask("and in the garage", session)
    assert (house.state("light.bathroom"), house.state("light.garage")) == ("on", "on")


def test_a_client_of_the_older_protocol_switches_things(house: House) -> None:
    bus = house.instance.bus
    status = bus.subscribe("skill.home.status")
    changes = bus.subscribe("home.state")
    bus.publish("skill.home.command", {"room": "hallway", "device": "light", "action": "on"})

    said = status.get(5).json()
    assert (said["device"], said["action"], said["state"]) == ("light", "on", "on")
    assert changes.get(5, lambda m: m.json()["id"] == "light.hallway").json()["state"] == "on"
    bus.publish("skill.home.command", {"device": "warp drive", "action": "on"})
    assert status.get(5).json()["state"] == "failed"


def test_sentences_of_my_own_are_taken_up_while_it_runs(house: House) -> None:
    bus = house.instance.bus
    assert house.ask("sesame seed bun")["outcome"] == "apologised"
    changed = bus.subscribe("home.changed")
    (house.sentences / "broken.yaml").write_text(BROKEN)
    changed.get(10)
    (house.sentences / "mine.yaml").write_text(WORD_OF_MY_OWN.format(reply="open"))
    changed.get(10)

    assert house.ask("sesame seed bun")["reply"] == "The bakery is open."
    assert "broken.yaml:" in house.instance.log(), "the broken file is named, with line and column"
    (house.sentences / "mine.yaml").unlink()
    changed.get(10)
    assert house.ask("sesame seed bun")["outcome"] == "apologised"


def test_a_program_that_declares_an_intent_gets_it(house: House) -> None:
    bus = house.instance.bus
    handler = Handler(bus, "HassGetWeather", {"handled": True, "speech": "It rains frogs."})
    handler.start()
    bus.publish("intent.declare", {"handler": "weather", "intents": ["HassGetWeather"]})
    bus.flush()

    answer = house.ask("what is the weather like")
    assert answer["reply"] == "It rains frogs.", answer

    # It is gone without a word: a person is told so, at once.
    handler.ending = True
    handler.join()
    handler.requests.close()
    gone = house.ask("what is the weather like")
    assert gone["outcome"] == "apologised", gone
    assert "not here" in gone["reply"]

    bus.publish("intent.declare", {"handler": "weather", "intents": []})
    bus.flush()
    assert "weather" in house.ask("what is the weather like")["reply"]


def test_states_and_commands_for_later_survive_a_kill(house: House) -> None:
    bus = house.instance.bus
    house.ask("turn on the fountain")
    promised = house.ask("turn off the fountain in fifteen seconds")
    assert promised["reply"] == "I'll turn off the fountain in 15 seconds.", promised
    assert house.state("switch.fountain") == "on"
    later = house.ask("turn on the porch light tomorrow at seven")
    assert "tomorrow at 7" in later["reply"], later

    ready = bus.subscribe("ctrl.readiness")
    replies = bus.subscribe("session.reply")
    pid = house.instance.pid("loqad")
    os.kill(pid, signal.SIGKILL)
    assert local_loqa.wait_for_end([pid], 5) == []
    ready.get(20, lambda message: message.json()["ready"])
    replies.get(30, lambda message: "Turned off the fountain" in message.json()["text"])

    assert house.state("switch.fountain") == "off"
    assert house.state("light.desk_lamp") == "on", "as it was before"
    (left,) = bus.request("timers.list")["timers"]
    assert "porch light" in left["label"]
    bus.request("timers.cancel", {"id": left["id"]})


@pytest.mark.slow
def test_commands_that_fell_due_while_nothing_ran(outer_bus: str, fresh_instance: Callable[..., Instance]) -> None:
    """A light is switched late, with an apology; a lock is asked about first."""
    settings = {"LOQA_BUS_EMBEDDED": "false", "LOQA_BUS_SERVERS": outer_bus}
    first = fresh_instance(environment=settings).start()
    for session, sentence in (("porch", "turn on the porch light"), ("door", "unlock the front door")):
        for words in (f"{sentence} in three seconds", "yes"):
            answer = say_in_writing(first.bus, words, session)
            if answer["reply"].startswith("I'll "):
                break
        assert answer["reply"] == f"I'll {sentence} in 3 seconds.", answer
    up = [*first.processes()]
    for pid in up:
        os.kill(pid, signal.SIGKILL)
    assert local_loqa.wait_for_end(up, 10) == []
    time.sleep(5)  # they fall due while nothing runs: there is no event to wait for

    second = fresh_instance(environment=settings, data=first.data)
    listening = Bus(outer_bus)
    replies = listening.subscribe("session.reply")
    try:
        second.start()
        heard = [replies.get(30).json()["text"] for _ in range(2)]
        states = {thing["id"]: thing["state"] for thing in second.loqa_json("home")["entities"]}
        agreed = say_in_writing(listening, "yes", "door")
        then = {thing["id"]: thing["state"] for thing in second.loqa_json("home")["entities"]}
    finally:
        listening.close()
    done, asked = sorted(heard, key=lambda text: text.endswith("?"))
    assert re.fullmatch(r"Sorry, this is \d+ seconds late\. Turned on the porch light\.", done), heard
    assert asked.endswith("I should have done this: unlock the front door. Shall I do it now?"), heard
    assert states["light.porch"] == "on"
    assert states["lock.front_door"] == "locked"
    assert agreed["outcome"] == "answered", agreed
    assert then["lock.front_door"] == "unlocked"


@pytest.mark.parametrize(
    ("sentence", "thing", "state"),
    [("turn on the reading lamp", "light.reading_lamp", "on"), ("turn on the kettle", "switch.kettle", "on")],
)
def test_a_spoken_command_acts(
    house: House, voices: Callable[[str, str], Path], tmp_path: Path, sentence: str, thing: str, state: str
) -> None:
    recording = voices("flite-slt", sentence)
    answer = house.instance.loqa_json("say", recording, "--out", tmp_path / "answer.wav")

    assert answer["outcome"] == "answered", answer
    assert house.state(thing) == state
