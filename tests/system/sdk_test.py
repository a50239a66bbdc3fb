"""What the author of a skill has: a skill that works at once, trials in the real host, and the skills that ship, which pass theirs."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from local_loqa import BINARIES, REPOSITORY, Instance, clean_environment, run

SHIPPED = sorted(path.parent.name for path in (REPOSITORY / "skills").glob("*/skill.yaml"))
BUILT = BINARIES.parent / "skills"
EXAMPLES = REPOSITORY / "skills" / "examples"


def build(folder: Path, *options: str) -> None:
    for command in (["cmake", "-S", folder, "-B", folder / "build", *options], ["cmake", "--build", folder / "build"]):
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def hello(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new skill outside the tree, built with a copy of the SDK."""
    folder = tmp_path_factory.mktemp("author")
    shutil.copytree(REPOSITORY / "skills" / "sdk", folder / "sdk")
    made = run("loqa-skill", "new", "hello", "--dir", folder)
    assert made.returncode == 0, made.stderr
    assert "loqa-skill test" in made.stdout
    build(folder / "hello", f"-DLOQA_SDK_DIR={folder / 'sdk'}")
    return folder / "hello"


def test_a_new_skill_is_valid_and_passes_its_tests(hello: Path) -> None:
    valid = run("loqa-skill", "validate", "--file", hello / "skill.yaml")
    tested = run("loqa-skill", "test", hello)

    assert (valid.returncode, valid.stdout, valid.stderr) == (0, "manifest valid\n", "")
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert tested.stdout.splitlines()[-1] == "2 passed, 0 failed"


def test_a_run_shows_what_a_skill_did_and_used(hello: Path) -> None:
    done = run("loqa-skill", "run", hello, "--intent", "Hello", "--slot", "who=Ann")

    assert done.returncode == 0, done.stderr
    shown = {line.split(maxsplit=1)[0]: line.split(maxsplit=1)[1] for line in done.stdout.splitlines()}
    assert shown["log"] == "info: somebody says hello"
    assert shown["published"] == 'skill.hello.greeted {"name":"Ann"}'
    assert shown["answer"] == '{"handled":true,"speech":"Hello, Ann!"}'
    assert "of 200 ms CPU" in shown["used"]
    assert "of 4 MB" in shown["used"]


def test_a_case_that_fails_shows_the_difference(hello: Path, tmp_path: Path) -> None:
    shutil.copytree(hello, tmp_path / "hello")
    cases = tmp_path / "hello" / "tests.yaml"
    cases.write_text(cases.read_text().replace("Hello, Ann!", "Goodbye, Ann!"))

    done = run("loqa-skill", "test", tmp_path / "hello", "--only", "by name")

    assert done.returncode == 1
    assert [line.split(" (")[0] for line in done.stdout.splitlines()] == [
        "FAIL  it greets by name",
        "  answer.speech",
        '    expected "Goodbye, Ann!"',
        '    found    "Hello, Ann!"',
        "0 passed, 1 failed",
    ]


@pytest.mark.parametrize(
    ("cases", "words"),
    [
        ("cases: [", "tests.yaml:"),
        ("cases:\n  - name: it\n    given: {wish: x}\n", "tests.yaml:3: given has none of intent, event, timer or start"),
        ("cases:\n  - name: it\n    givn: {start: true}\n", "tests.yaml:3: givn is not known here"),
    ],
)
def test_cases_that_cannot_be_read_are_named(hello: Path, tmp_path: Path, cases: str, words: str) -> None:
    shutil.copytree(hello, tmp_path / "hello")
    (tmp_path / "hello" / "tests.yaml").write_text(cases)

    done = run("loqa-skill", "test", tmp_path / "hello")

    assert done.returncode == 2
    assert words in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["run", "{hello}"], 2, "one of --intent, --event, --timer and --start"),
        (["run", "{hello}", "--event", "a.b", "--start"], 2, "excludes"),
        (["run", "{hello}/build", "--start"], 1, "skill.yaml"),
        (["new", "Hello!"], 2, "no name for a skill"),
        (["new", "hello", "--dir", "{hello}/.."], 1, "is there and not empty"),
    ],
)
def test_what_cannot_be_done_is_said(hello: Path, arguments: list[str], code: int, words: str) -> None:
    done = run("loqa-skill", *(one.format(hello=hello) for one in arguments))

    assert done.returncode == code
    assert words in done.stderr


@pytest.mark.parametrize("name", SHIPPED)
def test_a_skill_that_ships_passes_its_tests(name: str) -> None:
    valid = run("loqa-skill", "validate", "--file", BUILT / name / "skill.yaml")
    tested = run("loqa-skill", "test", BUILT / name, timeout=60)

    assert (valid.returncode, valid.stderr) == (0, "")
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_completion_of_bash() -> None:
    script = """
        source <("$1" completion bash)
        function=$(complete -p loqa-skill | sed -n 's/.*-F \\([^ ]*\\).*/\\1/p')
        COMP_WORDS=(loqa-skill va) COMP_CWORD=1
        "$function" loqa-skill va loqa-skill
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    done = subprocess.run(
        ["bash", "-euc", script, "bash", BINARIES / "loqa-skill"],
        capture_output=True, text=True, timeout=10, env=clean_environment(),
    )  # fmt: skip

    assert done.stdout.split() == ["validate"], done.stderr


def test_what_a_skill_subscribes_to_is_answered_once(tmp_path: Path) -> None:
    shutil.copytree(BUILT / "timer", tmp_path / "skills" / "timer")
    only = {"LOQA_STT_ENABLED": "false", "LOQA_TTS_ENABLED": "false", "LOQA_SKILLS_DIRECTORY": str(tmp_path / "skills")}
    own = Instance(tmp_path, environment=only)
    try:
        own.start()
        told = own.bus.subscribe("skill.timer.status")

        def start(label: str) -> None:
            own.bus.publish("skill.timer.start", {"duration_ms": 3_600_000, "label": label})
            told.get(10, lambda message: message.json()["label"] == label)

        start("by the skill")
        start("the next")
        assert told.drain() == []  # the first was told once
        assert own.bus.request("timers.list")["timers"] == []

        assert own.loqa("skill", "remove", "timer").returncode == 0
        start("by loqad")
        assert [timer["label"] for timer in own.bus.request("timers.list")["timers"]] == ["by loqad"]
    finally:
        own.destroy()


# The same host, other languages


def copy_of(example: str, folder: Path) -> Path:
    return shutil.copytree(EXAMPLES / example, folder / example, ignore=shutil.ignore_patterns("build", "target"))


@pytest.mark.slow
@pytest.mark.parametrize("form", [[], ["-tags", "reactor", "-buildmode=c-shared"]], ids=["command", "reactor"])
def test_a_skill_in_go_runs_unchanged(tmp_path: Path, form: list[str]) -> None:
    go = shutil.which("go")
    version = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, timeout=30).stdout if go else ""
    if tuple(int(part) for part in version.strip().removeprefix("go").split(".")[:2] if part.isdigit()) < (1, 24):
        pytest.skip("there is no Go 1.24 on this machine, whose standard toolchain the example is for")
    folder = copy_of("go", tmp_path)
    subprocess.run(
        [go, "build", "-ldflags=-s -w", *form, "-o", "build/greeter.wasm", "."],
        cwd=folder, check=True, timeout=300, env=os.environ | {"GOOS": "wasip1", "GOARCH": "wasm", "GOFLAGS": "-buildvcs=false"},
    )  # fmt: skip

    tested = run("loqa-skill", "test", folder, timeout=120)

    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert "2 passed" in tested.stdout


@pytest.mark.slow
def test_a_skill_in_rust_runs_unchanged(tmp_path: Path) -> None:
    rust, linker = Path("/usr/bin/rustc"), next(filter(shutil.which, ("wasm-ld-19", "wasm-ld-18")), None)
    if not rust.exists() or not linker or not Path("/usr/lib/rustlib/wasm32-wasi").exists():
        pytest.skip("there is no Rust for WebAssembly on this machine: scripts/setup.sh rust")
    folder = copy_of("rust", tmp_path)
    (folder / "build").mkdir()
    options = "--edition 2021 --target wasm32-wasi --crate-type cdylib -C opt-level=s -C panic=abort -C lto".split()
    linking = [f"-Clinker={linker}", "-Clink-arg=--no-fatal-warnings", "-Clink-arg=--strip-all"]
    subprocess.run(
        [rust, *options, *linking, "-o", "build/counter.wasm", "src/lib.rs"], cwd=folder, check=True, timeout=120
    )

    tested = run("loqa-skill", "test", folder)

    assert tested.returncode == 0, tested.stdout + tested.stderr
