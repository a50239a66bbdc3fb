"""Loqa and a real Home Assistant: what is said switches its things, and when it is away somebody is told."""

import json
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import spoken
from local_loqa import BINARIES, CACHE, Instance

pytestmark = pytest.mark.slow

VENV = CACHE / "tools" / "homeassistant"
ONBOARDING = Path(__file__).parents[1] / "support" / "home_assistant_onboarding.py"
SKILLS = BINARIES.parent / "skills"
LIGHT = "light.kitchen_lights"
CONFIGURATION = """
homeassistant: {{name: Test, unit_system: metric, time_zone: UTC, latitude: 0, longitude: 0}}
http: {{server_host: 127.0.0.1, server_port: {port}}}
api:
onboarding:
demo:
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class HomeAssistant:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.token = ""
        self.process: subprocess.Popen | None = None
        folder.mkdir()
        (folder / "configuration.yaml").write_text(CONFIGURATION.format(port=self.port))

    def start(self) -> None:
        with (self.folder / "output.log").open("ab") as log:
            self.process = subprocess.Popen(
                [VENV / "bin" / "hass", "-c", self.folder, "--skip-pip"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        deadline = time.monotonic() + 120
        while True:
            try:
                urllib.request.urlopen(self.url + "/api/onboarding", timeout=5).close()
                return
            except OSError:
                assert self.process.poll() is None and time.monotonic() < deadline, "Home Assistant did not start"
                time.sleep(0.1)

    def onboard(self) -> None:
        file = self.folder / "token"
        subprocess.run([VENV / "bin" / "python", ONBOARDING, self.url, file], check=True, timeout=60)
        self.token = file.read_text()

    def ask(self, path: str, body: dict | None = None) -> object:
        request = urllib.request.Request(
            self.url + path,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def state(self, thing: str) -> str:
        return self.ask(f"/api/states/{thing}")["state"]

    def kill(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)


@pytest.fixture(scope="module")
def home_assistant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HomeAssistant]:
    if not (VENV / ".made-of").exists():
        pytest.skip("there is no Home Assistant on this machine: scripts/setup.sh homeassistant")
    one = HomeAssistant(tmp_path_factory.mktemp("home-assistant") / "config")
    try:
        one.start()
        one.onboard()
        yield one
    finally:
        one.kill()


@pytest.fixture(scope="module")
def loqa(tmp_path_factory: pytest.TempPathFactory, home_assistant: HomeAssistant) -> Iterator[Instance]:
    """With the two skills as they ship, the address and the token as a person sets them."""
    folder = tmp_path_factory.mktemp("loqa")
    for name in ("smart-home", "home-assistant"):
        shutil.copytree(SKILLS / name, folder / "skills" / name)
    own = Instance(folder, environment={"LOQA_SKILLS_DIRECTORY": str(folder / "skills")})
    config = own.data / "skills" / "config" / "home-assistant.yaml"
    secret = own.data / "skills" / "secrets" / "home-assistant" / "token"
    for file in (config, secret):
        file.parent.mkdir(parents=True, mode=0o700)
    config.write_text(f"url: {home_assistant.url}\nevery_s: 1\naliases: [{LIGHT}=the big one]\n")
    secret.touch(0o600)
    secret.write_text(home_assistant.token)
    try:
        own.start()
        until(lambda: thing(own, LIGHT), "the skill told of no kitchen light")
        yield own
    finally:
        own.destroy()


def thing(instance: Instance, name: str) -> dict | None:
    entities = instance.bus.request("home.get")["entities"]
    return next((one for one in entities if one["id"] == name), None)


def until(look: Callable[[], object], otherwise: str, seconds: float = 20) -> None:
    """What follows from something a skill looks at once a second."""
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.05)


@pytest.fixture
def say(loqa: Instance, voices: Callable[[str, str], Path], tmp_path: Path) -> Callable[[str], dict]:
    """Speaks to Loqa, and gives what it answered; the answer's sound was heard."""

    def speak(words: str) -> dict:
        sound = tmp_path / "answer.wav"
        done = loqa.loqa("say", "--json", voices("flite-slt", words), "--out", sound)
        answer = json.loads(done.stdout)
        assert spoken.words(answer["heard"]) == spoken.words(words)
        assert sound.stat().st_size > 10_000
        return answer

    return speak


def test_its_rooms_and_things_are_known_by_name(loqa: Instance) -> None:
    light = thing(loqa, LIGHT)

    assert (light["name"], light["area"], light["aliases"]) == ("Kitchen Lights", "kitchen", ["the big one"])
    assert {area["id"] for area in loqa.bus.request("home.get")["areas"]} >= {"kitchen", "bedroom", "living_room"}


@pytest.mark.parametrize(("words", "state"), [("turn off the kitchen lights", "off"), ("turn on the kitchen lights", "on")])
def test_what_is_said_is_done(
    loqa: Instance, home_assistant: HomeAssistant, say: Callable[[str], dict], words: str, state: str
) -> None:
    assert home_assistant.state(LIGHT) != state

    answer = say(words)

    assert answer["outcome"] == "answered", answer
    assert home_assistant.state(LIGHT) == state
    until(lambda: thing(loqa, LIGHT)["state"] == state, "loqad was not told of it")


def test_what_somebody_else_switches_is_known(loqa: Instance, home_assistant: HomeAssistant) -> None:
    home_assistant.ask("/api/services/light/turn_off", {"entity_id": LIGHT})

    until(lambda: thing(loqa, LIGHT)["state"] == "off", "the change was not seen")


def test_killed_in_mid_command_is_said_and_once_back_it_works(
    loqa: Instance, home_assistant: HomeAssistant, say: Callable[[str], dict]
) -> None:
    asked = loqa.bus.subscribe("skill.home.act")
    ended = loqa.bus.subscribe("session.ended")
    home_assistant.process.send_signal(signal.SIGSTOP)  # it takes the request and does nothing with it
    with ThreadPoolExecutor(1) as side:
        side.submit(lambda: (asked.get(60), home_assistant.kill()))
        answer = say("turn on the kitchen lights")

    assert answer["outcome"] == "apologised", answer
    assert "Home Assistant does not answer" in answer["reply"]
    assert ended.get(5).json()["stages_ms"]["skill"] < 3000  # session.intent_timeout_ms

    home_assistant.start()
    answer = say("turn on the kitchen lights")

    assert answer["outcome"] == "answered", answer
    assert home_assistant.state(LIGHT) == "on"
