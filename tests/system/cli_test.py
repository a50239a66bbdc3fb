"""The `loqa` command as people and programs use it."""

import json
import queue
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import local_loqa
import pcm
from local_loqa import BINARIES, Instance, clean_environment, run

COMMANDS = ["up", "env", "say", "ask", "listen", "trace", "timers", "models", "doctor", "completion"]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_examples(command: str) -> None:
    shown = run("loqa", command, "--help")

    assert shown.returncode == 0
    assert "example" in shown.stdout.lower()
    assert f"loqa {command}" in shown.stdout
    assert shown.stderr == ""


def test_help_names_every_command() -> None:
    shown = run("loqa", "--help")

    assert shown.returncode == 0
    for command in COMMANDS:
        assert f"\n  {command} " in shown.stdout


@pytest.mark.parametrize("program", ["loqa", "loqad", "loqa-stt", "loqa-tts"])
def test_version(program: str) -> None:
    shown = run(program, "--version")

    assert shown.returncode == 0
    assert any(character.isdigit() for character in shown.stdout)


@pytest.mark.parametrize("program", ["loqad", "loqa-stt", "loqa-tts"])
def test_help_of_the_daemons_has_examples(program: str) -> None:
    shown = run(program, "--help")

    assert shown.returncode == 0
    assert "example" in shown.stdout.lower()


@pytest.mark.parametrize(
    "arguments",
    [
        ["sing"],
        ["up", "--sideways"],
        ["say"],
        ["ask"],
        ["models", "eat"],
        ["completion", "tcsh"],
        [],
    ],
)
def test_wrong_usage_is_exit_code_2(arguments: list[str]) -> None:
    refused = run("loqa", *arguments)

    assert refused.returncode == 2
    assert refused.stdout == ""
    assert "--help" in refused.stderr or "Usage" in refused.stderr


@pytest.mark.parametrize(
    "arguments", [["env"], ["ask", "hello"], ["trace"], ["timers"], ["listen"]], ids=lambda arguments: arguments[0]
)
def test_no_instance_is_said_clearly(arguments: list[str], tmp_path: Path) -> None:
    failed = run("loqa", *arguments, "--data", tmp_path)

    assert failed.returncode == 1
    assert failed.stderr.startswith("loqa: ")
    assert "loqa up" in failed.stderr
    assert str(tmp_path) in failed.stderr


def test_env(instance: Instance) -> None:
    for_programs = instance.loqa_json("env")
    for_shells = instance.loqa("env").stdout

    assert for_programs.keys() == {"nats_url", "http_url"}
    assert for_programs["nats_url"].startswith("nats://")
    assert "@127.0.0.1:" in for_programs["nats_url"]
    assert for_programs["http_url"].startswith("http://127.0.0.1:")
    shell = subprocess.run(
        ["sh", "-c", f'{for_shells}\nprintf %s "$LOQA_NATS_URL"'],
        capture_output=True,
        text=True,
        timeout=10,
        check=True,
    )
    assert shell.stdout == for_programs["nats_url"]


def test_credentials_are_for_the_owner_alone(instance: Instance) -> None:
    for file in (instance.data / "run").iterdir():
        assert file.stat().st_mode & 0o077 == 0, file


def test_ask(instance: Instance, tmp_path: Path) -> None:
    out = tmp_path / "answer.wav"

    asked = instance.loqa("ask", "what time is it", "--out", out)

    assert asked.returncode == 0, asked.stderr
    assert "It is" in asked.stdout
    assert pcm.read_wav(out).seconds > 0.5


def test_ask_what_is_not_understood(instance: Instance) -> None:
    asked = instance.loqa("ask", "colourless green ideas sleep furiously", "--no-audio", "--json")

    assert asked.returncode == 1
    answer = json.loads(asked.stdout)
    assert answer["outcome"] == "apologised"
    assert answer["reply"]


@pytest.mark.parametrize("content", [None, b"", b"RIFF", b"not a sound file at all"])
def test_say_what_is_no_wav_file(instance: Instance, tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "question.wav"
    if content is not None:
        file.write_bytes(content)

    refused = instance.loqa("say", file)

    assert refused.returncode in (1, 2)
    assert str(file) in refused.stderr


def test_say_silence(instance: Instance, tmp_path: Path) -> None:
    file = tmp_path / "silence.wav"
    pcm.write_wav(file, pcm.silence(1.0))

    said = instance.loqa("say", file, "--mark-end", "--json", "--out", tmp_path / "answer.wav")

    assert said.returncode == 1
    answer = json.loads(said.stdout)
    assert answer["outcome"] == "nothing_heard"
    assert answer["heard"] == ""


def test_say_several_files_gives_a_line_each(
    instance: Instance, voices: Callable[[str, str], Path], tmp_path: Path
) -> None:
    files = [voices("flite-slt", text) for text in ("what time is it", "what is the date today")]

    said = instance.loqa("say", *files, "--json", "--out", tmp_path / "answer.wav", timeout=60)

    answers = [json.loads(line) for line in said.stdout.splitlines()]
    assert said.returncode == 0, said.stderr
    assert len({answer["session_id"] for answer in answers}) == 2
    assert "time" in answers[0]["heard"].lower()
    assert "date" in answers[1]["heard"].lower()


def test_say_reads_standard_input(instance: Instance, voices: Callable[[str, str], Path], tmp_path: Path) -> None:
    with voices("flite-slt", "what time is it").open("rb") as question:
        said = subprocess.run(
            [BINARIES / "loqa", "say", "-", "--json", "--data", instance.data, "--out", tmp_path / "answer.wav"],
            stdin=question, capture_output=True, timeout=30, env=clean_environment(),
        )  # fmt: skip

    assert said.returncode == 0, said.stderr
    assert json.loads(said.stdout)["outcome"] == "answered"


@pytest.mark.usefixtures("no_timers")
def test_timers(instance: Instance) -> None:
    assert instance.loqa_json("timers") == {"timers": []}
    assert instance.loqa("ask", "set a pizza timer for ten minutes", "--no-audio").returncode == 0

    shown = instance.loqa("timers")
    assert shown.returncode == 0
    assert "pizza" in shown.stdout

    assert instance.loqa("timers", "cancel", "pizza").returncode == 0
    assert instance.loqa_json("timers") == {"timers": []}

    again = instance.loqa("timers", "cancel", "pizza")
    assert again.returncode == 1
    assert "pizza" in again.stderr


def test_trace_is_a_waterfall(instance: Instance, tmp_path: Path) -> None:
    spans = instance.bus.subscribe("trace.spans")
    asked = instance.loqa_json("ask", "what time is it", "--out", tmp_path / "answer.wav")
    spans.get(10, lambda message: b"tts.synthesise" in message.data)

    shown = instance.loqa("trace", asked["session_id"], env=clean_environment(COLUMNS="80"))

    assert shown.returncode == 0
    lines = shown.stdout.splitlines()
    assert any("tts.synthesise" in line for line in lines), shown.stdout
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in shown.stdout, "colours are for terminals"


def test_trace_of_an_unknown_session(instance: Instance) -> None:
    shown = instance.loqa("trace", "never-heard-of")

    assert shown.returncode == 1
    assert "never-heard-of" in shown.stderr


@contextmanager
def listening(instance: Instance, *arguments: str) -> Iterator["queue.Queue[str | None]"]:
    """Lines of `loqa listen`, read on a thread of their own."""
    process = subprocess.Popen(
        [BINARIES / "loqa", "listen", *arguments, "--data", instance.data],
        stdout=subprocess.PIPE,
        text=True,
        env=clean_environment(),
    )
    lines: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        for line in process.stdout:
            lines.put(line)
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    try:
        yield lines
    finally:
        process.terminate()
        assert process.wait(5) == 0


def test_listen(instance: Instance) -> None:
    with listening(instance, "--json") as lines:
        # Statuses come every second: the first one says that it listens.
        first = json.loads(lines.get(timeout=5))
        assert "subject" in first
        instance.loqa("ask", "what time is it", "--no-audio")

        seen = []
        while "session.ended" not in seen:
            seen.append(json.loads(lines.get(timeout=10))["subject"])
    assert "session.reply" in seen


def test_models_list_and_verify() -> None:
    listed = json.loads(run("loqa", "models", "list", "--json").stdout)["models"]
    states = {model["name"]: model["state"] for model in listed}

    assert states["silero-vad"] == states["moonshine-tiny-en"] == states["piper-en_US-joe-medium"] == "installed"

    verified = run("loqa", "models", "verify", "silero-vad", "--json")
    assert verified.returncode == 0
    assert json.loads(verified.stdout)["models"] == [{"name": "silero-vad", "good": True}]


def test_models_verify_sees_a_changed_byte(tmp_path: Path) -> None:
    folder = tmp_path / "models" / "silero-vad"
    shutil.copytree(local_loqa.CACHE / "models" / "silero-vad", folder)
    file = folder / "silero_vad_16k_op15.onnx"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)

    verified = run("loqa", "models", "verify", "silero-vad", env=clean_environment(LOQA_CACHE_DIR=str(tmp_path)))

    assert verified.returncode == 1
    assert file.name in verified.stderr
    assert "loqa models pull silero-vad" in verified.stderr


def test_unknown_model() -> None:
    verified = run("loqa", "models", "verify", "silero-vat")

    assert verified.returncode == 1
    assert "silero-vat" in verified.stderr


def test_doctor_of_a_healthy_machine(instance: Instance) -> None:
    examined = instance.loqa("doctor", "--json", timeout=60)
    checks = json.loads(examined.stdout)["checks"]

    assert [check for check in checks if check["state"] == "fail"] == []
    assert examined.returncode == 0
    assert all(check["name"] and check["state"] in ("ok", "warn") for check in checks)
    assert all(check["hint"] for check in checks if check["state"] == "warn")


def test_doctor_finds_what_is_missing(tmp_path: Path) -> None:
    examined = run(
        "loqa", "doctor", "--data", tmp_path / "data", env=clean_environment(LOQA_CACHE_DIR=str(tmp_path / "cache"))
    )

    assert examined.returncode == 1
    assert "moonshine-tiny-en" in examined.stdout
    assert "loqa models pull" in examined.stdout


def test_completion_of_bash() -> None:
    script = """
        source <("$1" completion bash)
        complete -p loqa >/dev/null || exit 3
        function=$(complete -p loqa | sed -n 's/.*-F \\([^ ]*\\).*/\\1/p')
        COMP_WORDS=(loqa ti) COMP_CWORD=1 COMP_LINE="loqa ti" COMP_POINT=7
        "$function" loqa ti loqa
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    loaded = subprocess.run(
        ["bash", "-euc", script, "bash", BINARIES / "loqa"],
        capture_output=True,
        text=True,
        timeout=10,
        env=clean_environment(),
    )

    assert loaded.returncode == 0, loaded.stderr
    assert [word.strip() for word in loaded.stdout.split()] == ["timers"]


@pytest.mark.parametrize(("shell", "check"), [("zsh", ["zsh", "-n"]), ("fish", ["fish", "--no-execute"])])
def test_completion_of_other_shells(shell: str, check: list[str], tmp_path: Path) -> None:
    written = run("loqa", "completion", shell)

    assert written.returncode == 0
    assert all(command in written.stdout for command in COMMANDS)
    if shutil.which(shell):
        script = tmp_path / "completion"
        script.write_text(written.stdout)
        subprocess.run([*check, script], check=True, timeout=10)
