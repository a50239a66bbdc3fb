"""Skills in the real host: found in a folder, run when a message comes, recorded, contained."""

import http.server
import json
import os
import pty
import shutil
import signal
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local_loqa import BINARIES, Instance, clean_environment, run

GUESTS = Path(__file__).parent / "guests"
CLANG = next((path for name in ("clang++-19", "clang++-18") if (path := shutil.which(name))), None)

# The fields that skills written for loqa-core have.
MANIFEST = """metadata:
  name: countdown
  version: 0.1.0
  description: Waits and tells.
  author: Somebody
runtime:
  mode: wasm
  module: build/countdown.wasm
  entrypoint: run
  host_version: v1
capabilities:
  bus:
    subscribe:
      - skill.countdown.start
    publish:
      - skill.countdown.status
  storage:
    kv: true
  timers: true
permissions:
  - event_store:read
  - bus:publish
surfaces:
  voice: true
  automations: true
"""


def compile_guest(source: Path, module: Path, *flags: str) -> None:
    assert CLANG, "there is no clang++: run scripts/setup.sh test"
    module.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [CLANG, "--target=wasm32-wasi", "-mexec-model=reactor", "-fno-exceptions", "-nostdlib++", "-Oz", "-s", *flags, source,
         "-o", module],
        check=True, timeout=60,
    )  # fmt: skip


# Of the second ABI. With durable, what comes is kept.
WORKER = """metadata: {name: worker, version: %(version)s}
runtime: {mode: wasm, module: worker.wasm, entrypoint: run, host_version: v2}
capabilities:
  bus: {subscribe: [skill.worker.job], publish: [skill.worker.done], durable: %(durable)s}
  timers: true
intents:
  - {name: CoffeeBrew, sentences: ["(brew|make) [me] [a] coffee"]}
  - {name: CoffeeClean, sentences: ["clean the coffee machine"], confirm: "Clean it now?"}
permissions: [bus:publish]
config: {cups: {type: integer, default: 1, max: 4}}
secrets: [token]
"""


def write_worker(folder: Path, version: object = 1, *flags: str, durable: bool = False) -> None:
    """As an update comes: each file whole, one after the other."""
    folder.mkdir(parents=True, exist_ok=True)
    compile_guest(GUESTS / "worker.cpp", folder / "next", f'-DVERSION="{version}"', *flags)
    (folder / "next").replace(folder / "worker.wasm")
    (folder / "next").write_text(WORKER % {"version": version, "durable": str(durable).lower()})
    (folder / "next").replace(folder / "skill.yaml")


@pytest.fixture(scope="module")
def skills_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("skills")
    compile_guest(GUESTS / "countdown.cpp", folder / "home" / "countdown" / "build" / "countdown.wasm")
    (folder / "home" / "countdown" / "skill.yaml").write_text(MANIFEST)
    write_worker(folder / "worker")
    (folder / "broken").mkdir()
    (folder / "broken" / "skill.yaml").write_text(MANIFEST.replace("countdown", "broken"))
    return folder


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory, skills_folder: Path) -> Iterator[Instance]:
    # Only what skills need: the speech services take seconds to start.
    only = {"LOQA_STT_ENABLED": "false", "LOQA_TTS_ENABLED": "false", "LOQA_SKILLS_DIRECTORY": str(skills_folder)}
    own = Instance(tmp_path_factory.mktemp("host"), environment=only)
    yield own.start()
    own.destroy()


@pytest.fixture(scope="module")
def record(host: Instance) -> Callable[[str], list[tuple[str, dict]]]:
    """What the event store has of a skill: types and payloads, oldest first."""

    def read(skill: str) -> list[tuple[str, dict]]:
        with sqlite3.connect(f"file:{host.data}/events.db?mode=ro", uri=True) as database:
            rows = database.execute(
                "SELECT event_type, payload FROM events WHERE session_id = ? ORDER BY id", [f"skill:{skill}"]
            )
            return [(kind, json.loads(payload)) for kind, payload in rows]

    return read


def test_a_message_is_an_invocation(host: Instance) -> None:
    statuses = host.bus.subscribe("skill.countdown.status")

    host.bus.publish("skill.countdown.start", "150")

    started, completed = statuses.get(10), statuses.get(10)
    assert started.json()["state"] == "started"
    assert completed.json() == started.json() | {"state": "completed"}
    assert completed.arrived - started.arrived >= 0.1


def test_what_is_not_granted_is_refused_and_recorded(host: Instance, record: Callable) -> None:
    statuses = host.bus.subscribe("skill.countdown.status")
    ended = host.bus.subscribe("session.ended")

    host.bus.publish("skill.countdown.start", "spy")
    assert statuses.get(10).json() == {"code": 1}
    host.bus.publish("skill.countdown.start", "0")  # once this is done, the first is written down
    statuses.get(10, lambda m: m.json().get("state") == "completed")

    assert ended.drain() == []
    assert any(
        kind == "skill.denied" and "session.ended is not in capabilities.bus.publish" in told["reason"]
        for kind, told in wait_for(lambda: record("countdown"), lambda events: any(e[0] == "skill.denied" for e in events))
    )


def test_a_crash_is_recorded_and_the_next_runs(host: Instance, record: Callable) -> None:
    statuses = host.bus.subscribe("skill.countdown.status")

    host.bus.publish("skill.countdown.start", "crash")
    host.bus.publish("skill.countdown.start", "1")
    statuses.get(10, lambda m: m.json().get("state") == "completed")

    events = wait_for(
        lambda: record("countdown"), lambda events: any(kind == "skill.invoke.error" for kind, _ in events)
    )
    error = next(told for kind, told in events if kind == "skill.invoke.error")
    assert error["output"] == "as I was told\n"
    assert "unreachable" in error["error"]


def test_a_skill_that_is_not_built_is_said_and_left_out(host: Instance, record: Callable) -> None:
    assert "module build/broken.wasm is not there" in host.log()
    assert [kind for kind, _ in record("broken")] == ["skill.refused"]


def wait_for(look: Callable, found: Callable, seconds: float = 10) -> list:
    """The store writes within a moment: looks until what is wanted is there."""
    deadline = time.monotonic() + seconds
    while not found(seen := look()):
        assert time.monotonic() < deadline, seen
        time.sleep(0.02)
    return seen


# Intents


def said(host: Instance, session: str, text: str) -> str:
    """What is answered to a sentence."""
    replies = host.bus.subscribe("session.reply")
    host.bus.publish("stt.text.final", {"session_id": session, "text": text, "partial": False})
    return replies.of_session(session, 15).json()["text"]


def test_a_skill_answers_its_own_sentences(host: Instance) -> None:
    # The sentences are compiled in the background.
    deadline = time.monotonic() + 20
    while (text := said(host, f"coffee-{time.monotonic_ns()}", "make me a coffee")) != "Here is your coffee.":
        assert time.monotonic() < deadline, text
        time.sleep(0.1)


def test_what_needs_a_yes_is_asked_first(host: Instance) -> None:
    test_a_skill_answers_its_own_sentences(host)
    assert said(host, "clean", "clean the coffee machine") == "Clean it now?"
    assert said(host, "clean", "yes") == "Here is your coffee."


# loqa skill


def test_skills_are_listed_and_rest(host: Instance) -> None:
    done = host.bus.subscribe("skill.worker.done")
    skills = {one["name"]: one for one in host.loqa_json("skill", "list")["skills"]}
    assert skills["worker"]["state"] == "ready"
    assert skills["worker"]["intents"] == ["CoffeeBrew", "CoffeeClean"]
    assert "is not there" in skills["broken"]["error"]

    assert host.loqa("skill", "disable", "worker").returncode == 0
    host.bus.publish("skill.worker.job", "unheard")
    assert host.loqa("skill", "enable", "worker").returncode == 0
    host.bus.publish("skill.worker.job", "heard")
    assert done.get(10).json()["what"] == "heard"

    assert "heard" not in host.loqa("skill", "stats", "worker").stdout
    assert "skill.publish" in host.loqa("skill", "logs", "worker").stdout


def set_secret(host: Instance, skill: str, name: str, value: str) -> None:
    done = subprocess.run(
        [BINARIES / "loqa", "skill", "secret", "set", skill, name, "--data", host.data],
        input=value + "\n", text=True, capture_output=True, timeout=30, env=clean_environment(), check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_values_and_secrets_are_set(host: Instance) -> None:
    assert host.loqa("skill", "config", "worker", "cups", "3").returncode == 0
    assert "cups = 3" in host.loqa("skill", "config", "worker").stdout
    refused = host.loqa("skill", "config", "worker", "cups", "5")
    assert refused.returncode == 2
    assert "is more than 4" in refused.stderr

    set_secret(host, "worker", "token", "s3cr3t")
    file = host.data / "skills" / "secrets" / "worker" / "token"
    assert file.read_text() == "s3cr3t"
    assert file.stat().st_mode & 0o077 == 0


def test_a_secret_is_asked_for_at_a_terminal_and_not_shown(host: Instance) -> None:
    ours, theirs = pty.openpty()
    asking = subprocess.Popen(
        [BINARIES / "loqa", "skill", "secret", "set", "worker", "token", "--data", host.data],
        stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=clean_environment(),
    )  # fmt: skip
    with asking:
        assert asking.stderr is not None
        assert asking.stderr.read(len("token of worker: ")) == b"token of worker: "
        os.write(ours, b"typed\n")
        assert asking.wait(30) == 0
    os.close(theirs)
    assert b"typed" not in os.read(ours, 100)
    os.close(ours)
    assert (host.data / "skills" / "secrets" / "worker" / "token").read_text() == "typed"


def test_a_skill_is_installed_and_removed(host: Instance, skills_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(skills_folder / "home" / "countdown", tmp_path / "other")
    manifest = MANIFEST.replace("name: countdown", "name: other").replace("skill.countdown.start", "skill.other.start")
    (tmp_path / "other" / "skill.yaml").write_text(manifest)
    statuses = host.bus.subscribe("skill.countdown.status")

    assert host.loqa("skill", "install", tmp_path / "other").returncode == 0
    host.bus.publish("skill.other.start", "1")
    assert statuses.get(10).json()["state"] == "started"

    assert host.loqa("skill", "remove", "other").returncode == 0
    assert not (skills_folder / "other").exists()
    assert "other" not in {one["name"] for one in host.loqa_json("skill", "list")["skills"]}


def test_one_without_its_configuration_waits_and_says_for_what(host: Instance, skills_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(skills_folder / "home" / "countdown", tmp_path / "asker")
    manifest = MANIFEST.replace("name: countdown", "name: asker").replace("skill.countdown.start", "skill.asker.start")
    values = "config:\n  url: {type: text, required: true}\n  room: {type: text, required: true}\n"
    (tmp_path / "asker" / "skill.yaml").write_text(manifest + values)

    def state() -> str:
        return next(one["state"] for one in host.loqa_json("skill", "list")["skills"] if one["name"] == "asker")

    installed = host.loqa("skill", "install", tmp_path / "asker")
    assert installed.returncode == 0, installed.stderr
    assert "url must be set" in installed.stdout
    assert "loqa skill config asker url VALUE" in installed.stdout
    assert state() == "waiting"
    assert "loqa skill config asker url VALUE" in host.loqa("skill", "list").stdout

    first = host.loqa("skill", "config", "asker", "url", "http://example.org")
    assert "the change of url is kept, but asker is not loaded with it" in first.stderr
    assert "loqa skill config asker room VALUE" in first.stderr
    assert state() == "waiting"
    assert host.loqa("skill", "config", "asker", "room", "bath").returncode == 0
    assert state() == "ready"
    assert host.loqa("skill", "remove", "asker").returncode == 0


# What must stay hidden, and what must not be pretended

SECRET = "s3cr3t-of-the-house"
FETCHER = """metadata: {name: fetcher, version: 1}
runtime: {mode: wasm, module: fetcher.wasm, entrypoint: run, host_version: v2}
capabilities:
  bus: {subscribe: [skill.fetcher.go], publish: [skill.fetcher.answer, skill.fetcher.done]}
permissions: [bus:publish, http:call]
http: {allow: ["%s"]}
secrets: [token]
"""


class Greeter(http.server.BaseHTTPRequestHandler):
    """Says back how it was greeted, in the body and in a header."""

    heard: list[str]

    def do_GET(self) -> None:
        said = self.headers["Authorization"]
        self.heard.append(said)
        self.send_response(200)
        self.send_header("X-Heard", said)
        self.end_headers()
        self.wfile.write(b"welcome " + said.encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def greeter() -> Iterator[tuple[str, list[str]]]:
    """URL of a server, and what its visitors said."""
    heard: list[str] = []
    server = http.server.HTTPServer(("127.0.0.1", 0), type("Own", (Greeter,), {"heard": heard}))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", heard
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_secret_is_used_and_never_seen(host: Instance, greeter: tuple[str, list[str]], tmp_path: Path) -> None:
    url, heard = greeter
    compile_guest(GUESTS / "fetcher.cpp", tmp_path / "fetcher" / "fetcher.wasm")
    (tmp_path / "fetcher" / "skill.yaml").write_text(FETCHER % url)
    assert host.loqa("skill", "install", tmp_path / "fetcher").returncode == 0
    set_secret(host, "fetcher", "token", SECRET)
    everything = host.bus.subscribe("skill.>")
    answers, done = host.bus.subscribe("skill.fetcher.answer"), host.bus.subscribe("skill.fetcher.done")

    def masked(text: str) -> str:
        return "".join(chr(ord(c) + 1) for c in text)

    host.bus.publish("skill.fetcher.go", f"{url}/ {masked(SECRET)} {masked('welcome')}")
    told = done.get(10).json()

    assert heard == [f"Bearer {SECRET}"]
    assert told["found"] > 0
    assert (told["config"], told["has"]) == (-1, 0)
    assert told["control"] > 0, "the guest finds nothing in its memory"
    assert told["secret"] == 0
    head, _, body = answers.get(1).data.decode().partition("\n")
    assert body == "welcome Bearer {{secret:token}}"
    assert json.loads(head)["headers"]["x-heard"] == "Bearer {{secret:token}}"

    logs = host.loqa("skill", "logs", "fetcher").stdout
    assert "skill.http" in logs
    assert SECRET not in logs + host.log() + host.loqa("skill", "stats", "fetcher").stdout
    assert all(SECRET.encode() not in message.data for message in everything.drain())
    everything.close()
    holders = [file for file in host.data.rglob("*") if file.is_file() and SECRET.encode() in file.read_bytes()]
    assert holders == [host.data / "skills" / "secrets" / "fetcher" / "token"]


HUB = """metadata: {name: hub, version: 1}
runtime: {mode: wasm, module: hub.wasm, entrypoint: run, host_version: v2, start: true}
permissions: [home:write]
"""


def test_what_is_real_is_not_switched_as_if_it_were_simulated(host: Instance, tmp_path: Path) -> None:
    compile_guest(GUESTS / "hub.cpp", tmp_path / "hub" / "hub.wasm")
    (tmp_path / "hub" / "skill.yaml").write_text(HUB)
    apology = "Sorry, Attic Lamp belongs to hub, and no skill that controls it is running."
    assert host.loqa("skill", "install", tmp_path / "hub").returncode == 0
    try:
        # The sentences are compiled with it in the background.
        deadline = time.monotonic() + 20
        while (text := said(host, f"attic-{time.monotonic_ns()}", "turn on the attic lamp")) != apology:
            assert "belongs" not in text and time.monotonic() < deadline, text
            time.sleep(0.1)
        # A skill that takes what is said, and finds no bridge to the thing.
        assert host.loqa("skill", "install", BINARIES.parent / "skills" / "smart-home").returncode == 0
        assert said(host, "attic", "turn on the attic lamp") == apology
        assert [(one["source"], one["state"]) for one in host.bus.request("home.get")["entities"]] == [("hub", "off")]
    finally:
        host.loqa("skill", "remove", "smart-home")
        host.loqa("skill", "remove", "hub")


# Under load, and under the axe


@pytest.mark.slow
def test_each_message_is_handled_once_while_a_skill_is_updated(fresh_instance: Callable, tmp_path: Path) -> None:
    skill = tmp_path / "skills" / "worker"
    write_worker(skill)
    only = {"LOQA_STT_ENABLED": "false", "LOQA_TTS_ENABLED": "false", "LOQA_SKILLS_DIRECTORY": str(tmp_path / "skills")}
    own = fresh_instance(environment=only).start()
    done = own.bus.subscribe("skill.worker.done")
    handled: list[tuple[int, str]] = []
    sent = 0

    def send(count: int) -> None:
        nonlocal sent
        own.bus.publish_all([("skill.worker.job", str(n).encode(), None) for n in range(sent, sent + count)])
        sent += count
        for _ in range(count):
            told = done.get(20).json()
            handled.append((int(told["what"]), told["version"]))

    broken = 6
    for version in range(2, 12):
        write_worker(skill, version, *(["-DBROKEN"] if version == broken else []))
        deadline = time.monotonic() + 20
        begin = sent
        while sent - begin < 1000 or (version != broken and handled[-1][1] != str(version)):
            send(100)
            assert time.monotonic() < deadline, handled[-1]
        if version == broken:
            while "its self-test failed" not in (why := own.loqa_json("skill", "list")["skills"][0]["error"]):
                send(100)
                assert time.monotonic() < deadline, why

    assert sent >= 10_000
    assert sorted(n for n, _ in handled) == list(range(sent))
    assert {version for _, version in handled} == {str(n) for n in range(1, 12) if n != broken}


@pytest.mark.slow
def test_what_was_accepted_happens_although_loqad_is_killed(fresh_instance: Callable, tmp_path: Path) -> None:
    write_worker(tmp_path / "skills" / "worker", 1, "-DSLOW", durable=True)
    only = {"LOQA_STT_ENABLED": "false", "LOQA_TTS_ENABLED": "false", "LOQA_SKILLS_DIRECTORY": str(tmp_path / "skills")}
    own = fresh_instance(environment=only).start()
    done = own.bus.subscribe("skill.worker.done")
    own.bus.publish("skill.worker.job", "timer 4000")
    own.bus.publish_all([("skill.worker.job", str(n).encode(), None) for n in range(100)])
    own.bus.flush()
    handled = [done.get(20).json() for _ in range(20)]

    os.kill(own.pid("loqad"), signal.SIGKILL)

    # What was in hand comes again once the server has waited for it long enough.
    while {one["what"] for one in handled} != {*map(str, range(100)), "rang"}:
        handled.append(done.get(40).json())
    ids = {}
    for one in handled:
        assert ids.setdefault(one["what"], one["id"]) == one["id"], "work that comes again has its old id"
    assert len(handled) - len(ids) <= 8, "more came again than was in hand"


def invocations(instance: Instance) -> list[str]:
    """Ids of those that began there."""
    with sqlite3.connect(f"file:{instance.data}/events.db?mode=ro", uri=True) as database:
        rows = database.execute("SELECT payload FROM events WHERE event_type = 'skill.invoke.start'").fetchall()
        return [json.loads(payload)["invocation_id"] for (payload,) in rows]


@pytest.mark.slow
def test_two_share_the_work_and_one_of_them_dies(outer_bus: str, fresh_instance: Callable, tmp_path: Path) -> None:
    write_worker(tmp_path / "skills" / "worker", 1, "-DSLOW", durable=True)
    compile_guest(GUESTS / "countdown.cpp", tmp_path / "skills" / "countdown" / "build" / "countdown.wasm")
    (tmp_path / "skills" / "countdown" / "skill.yaml").write_text(MANIFEST)
    settings = {
        "LOQA_STT_ENABLED": "false", "LOQA_TTS_ENABLED": "false", "LOQA_SKILLS_DIRECTORY": str(tmp_path / "skills"),
        "LOQA_BUS_EMBEDDED": "false", "LOQA_BUS_SERVERS": outer_bus,
    }  # fmt: skip
    one, other = (fresh_instance(environment=settings).start() for _ in range(2))
    for node in (one, other):
        wait_for(node.log, lambda log: "skill worker 1 is ready" in log)
    bus = one.bus

    # What is not kept: each message is one node's.
    statuses = bus.subscribe("skill.countdown.status")
    bus.publish_all([("skill.countdown.start", b"5", None)] * 100)
    told = [statuses.get(20).json() for _ in range(200)]
    ended = [status["invocation"] for status in told if status["state"] == "completed"]
    assert len(set(ended)) == 100
    shares = wait_for(lambda: (invocations(one), invocations(other)), lambda both: sum(map(len, both)) == 100)
    assert sorted(shares[0] + shares[1]) == sorted(ended)
    assert min(map(len, shares)) > 10, "one node did all the work"

    # What is kept: all of it happens, although one of the two is killed with some in its hands.
    done = bus.subscribe("skill.worker.done")
    bus.publish_all([("skill.worker.job", str(n).encode(), None) for n in range(200)])
    bus.flush()
    handled = [done.get(20).json() for _ in range(60)]
    before = wait_for(lambda: invocations(other), lambda ids: len(ids) > len(shares[1]) + 10)
    os.kill(other.pid("loqa"), signal.SIGSTOP)  # who would start it again
    os.kill(other.pid("loqad"), signal.SIGKILL)
    os.kill(other.pid("loqa"), signal.SIGKILL)

    # What was in hand comes again once the server has waited for it long enough.
    while {work["what"] for work in handled} != {*map(str, range(200))}:
        handled.append(done.get(40).json())
    ids: dict[str, str] = {}
    for work in handled:
        assert ids.setdefault(work["what"], work["id"]) == work["id"], "work that comes again has its old id"
    assert len(handled) - len(ids) <= 8, "more came again than was in hand"
    assert {*before} & {*ids.values()}, "the one that was killed had done none of it"


def resident_kib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS:")).split()[1])


@pytest.mark.slow
def test_memory_is_flat_after_many_invocations(fresh_instance: Callable, tmp_path: Path) -> None:
    write_worker(tmp_path / "skills" / "worker")
    only = {"LOQA_STT_ENABLED": "false", "LOQA_TTS_ENABLED": "false", "LOQA_SKILLS_DIRECTORY": str(tmp_path / "skills")}
    own = fresh_instance(environment=only).start()
    done = own.bus.subscribe("skill.worker.done")
    loqad = own.pid("loqad")
    ahead, rounds = 200, 500  # fewer than a skill's queue holds
    resident = []
    for _ in range(rounds):
        own.bus.publish_all([("skill.worker.job", b"x", None)] * ahead)
        for _ in range(ahead):
            done.get(20)
        resident.append(resident_kib(loqad))

    stats = own.loqa_json("skill", "list")["skills"][0]
    assert (stats["invocations"], stats["dropped"], stats["failures"]) == (ahead * rounds, 0, 0)
    assert max(resident[-10:]) - max(resident[rounds // 2 - 10 : rounds // 2]) < 3 * 1024, resident[:: rounds // 20]


# loqa-skill


def test_validate_speaks_as_it_always_did(skills_folder: Path) -> None:
    done = run("loqa-skill", "validate", "--file", skills_folder / "home" / "countdown" / "skill.yaml")

    assert (done.returncode, done.stdout, done.stderr) == (0, "manifest valid\n", "")


def test_validate_of_what_is_not_built(skills_folder: Path) -> None:
    done = run("loqa-skill", "validate", "--file", "skill.yaml", cwd=skills_folder / "broken")

    assert (done.returncode, done.stdout) == (0, "manifest valid\n")
    assert "build/broken.wasm is not built yet" in done.stderr


def test_validate_finds_every_fault(tmp_path: Path) -> None:
    (tmp_path / "skill.yaml").write_text(
        MANIFEST.replace("  name: countdown\n", "").replace("build/countdown.wasm", "/etc/passwd").replace("kv: true", "kv: 7")
    )

    done = run("loqa-skill", "validate", "--file", "skill.yaml", cwd=tmp_path)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        "skill.yaml:2:3: metadata.name is required",
        "skill.yaml:7:11: runtime.module /etc/passwd is outside the skill's folder",
        "skill.yaml:17:9: capabilities.storage.kv is not true or false",
    ]


@pytest.mark.parametrize(
    ("entrypoint", "words"), [("walk", "exports neither the entrypoint walk nor _start"), ("run", "manifest valid")]
)
def test_validate_holds_the_module_against_its_manifest(skills_folder: Path, tmp_path: Path, entrypoint: str, words: str) -> None:
    shutil.copytree(skills_folder / "home" / "countdown", tmp_path / "skill")
    (tmp_path / "skill" / "skill.yaml").write_text(MANIFEST.replace("entrypoint: run", f"entrypoint: {entrypoint}"))

    done = run("loqa-skill", "validate", "--file", tmp_path / "skill" / "skill.yaml")

    assert words in done.stdout + done.stderr
    assert done.returncode == (words != "manifest valid")


@pytest.fixture
def signed(skills_folder: Path, tmp_path: Path) -> tuple[Path, Path, Path]:
    """A signed skill, with the files of its keys."""
    skill, secret, public = tmp_path / "skill", tmp_path / "secret", tmp_path / "public"
    shutil.copytree(skills_folder / "home" / "countdown", skill)
    assert run("loqa-skill", "keygen", "--secret", secret, "--public", public).returncode == 0
    assert run("loqa-skill", "sign", skill, "--secret", secret).returncode == 0
    return skill, secret, public


def test_signed_skills_verify_until_they_are_changed(signed: tuple[Path, Path, Path]) -> None:
    skill, secret, public = signed
    assert secret.stat().st_mode & 0o077 == 0
    assert run("loqa-skill", "verify", skill, "--public", public).returncode == 0

    with (skill / "build" / "countdown.wasm").open("ab") as module:
        module.write(b"\0")

    changed = run("loqa-skill", "verify", skill, "--public", public)
    assert changed.returncode == 1
    assert "another manifest or module" in changed.stderr


def minisign(*arguments: object) -> subprocess.CompletedProcess:
    return subprocess.run(["minisign", *map(str, arguments)], capture_output=True, text=True, timeout=30, check=False)


def test_minisign_verifies_ours(signed: tuple[Path, Path, Path]) -> None:
    skill, _, public = signed

    done = minisign("-V", "-p", public, "-m", skill / "skill.sums")
    listed = subprocess.run(["sha256sum", "-c", "skill.sums"], cwd=skill, capture_output=True, timeout=30, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Trusted comment: countdown 0.1.0" in done.stdout
    assert listed.returncode == 0


def test_minisign_signs_for_ours(signed: tuple[Path, Path, Path], tmp_path: Path) -> None:
    skill, secret, public = signed
    (skill / "skill.sums.minisig").unlink()

    # With our key, and with one of its own.
    assert minisign("-S", "-s", secret, "-m", skill / "skill.sums").returncode == 0
    assert run("loqa-skill", "verify", skill, "--public", public).returncode == 0

    own_secret, own_public = tmp_path / "own.key", tmp_path / "own.pub"
    assert minisign("-G", "-W", "-s", own_secret, "-p", own_public).returncode == 0
    assert minisign("-S", "-s", own_secret, "-m", skill / "skill.sums").returncode == 0
    assert run("loqa-skill", "verify", skill, "--public", own_public).returncode == 0
    assert run("loqa-skill", "verify", skill, "--public", public).returncode == 1
    assert run("loqa-skill", "sign", skill, "--secret", own_secret).returncode == 0
    assert minisign("-V", "-p", own_public, "-m", skill / "skill.sums").returncode == 0
