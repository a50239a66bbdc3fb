"""What keeps Loqa from starting is said in a sentence that tells what to do."""

import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import local_loqa
from local_loqa import Instance


def expect_failure(instance: Instance, *words: str, code: int = 1) -> str:
    """The start fails with this exit code, its message has all the words, and nothing is left running."""
    returned, log = instance.run_to_failure()
    assert returned == code, log
    for word in words:
        assert word in log, f"no {word!r} in:\n{log}"
    assert instance.processes() == {}
    return log


# Models


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A cache folder of our own: models that a test may damage, engines as they are."""
    own = tmp_path / "cache"
    shutil.copytree(
        local_loqa.CACHE / "models", own / "models", copy_function=lambda a, b: os.symlink(os.path.realpath(a), b)
    )
    (own / "engines").symlink_to(local_loqa.CACHE / "engines")
    for extra in local_loqa.CACHE.iterdir():
        if extra.name not in ("models", "engines"):
            (own / extra.name).symlink_to(extra)
    return own


def truncate(file: Path, keep: float = 0.5) -> None:
    content = file.read_bytes()
    file.unlink()
    file.write_bytes(content[: int(len(content) * keep)])


MODEL_FILES = [
    ("moonshine-tiny-en", "encoder_model.ort"),
    ("moonshine-tiny-en", "decoder_model_merged.ort"),
    ("moonshine-tiny-en", "tokens.txt"),
    ("silero-vad", "silero_vad_16k_op15.onnx"),
]
VOICE = "piper-en_US-joe-medium"


@pytest.mark.parametrize(("model", "file"), MODEL_FILES)
@pytest.mark.parametrize("damage", ["truncated", "missing", "empty"])
def test_damaged_model(
    fresh_instance: Callable[..., Instance], cache: Path, model: str, file: str, damage: str
) -> None:
    path = cache / "models" / model / file
    if damage == "missing":
        path.unlink()
    else:
        truncate(path, 0.5 if damage == "truncated" else 0)

    expect_failure(fresh_instance(environment={"LOQA_CACHE_DIR": str(cache)}), file, f"loqa models pull {model}")


@pytest.mark.parametrize(
    ("file", "damage"),
    [("encoder.onnx", "missing"), ("decoder.onnx", "truncated"), ("decoder.onnx", "garbage"), ("config.json", "empty")],
)
def test_damaged_voice(fresh_instance: Callable[..., Instance], cache: Path, file: str, damage: str) -> None:
    """The plain voice stands in, which is said, until the other one is back."""
    path = cache / "models" / VOICE / file
    whole = path.resolve()
    size = whole.stat().st_size
    path.unlink()
    if damage != "missing":
        content = b"\x55" * size if damage == "garbage" else whole.read_bytes()
        path.write_bytes(content[: {"truncated": size // 2, "empty": 0}.get(damage, size)])

    instance = fresh_instance(environment={"LOQA_CACHE_DIR": str(cache)}).start()
    voice = speaking_voice(instance)
    assert voice.startswith("espeak-ng, since "), voice
    assert file in voice, voice
    degraded = instance.bus.subscribe("session.degraded")
    done = instance.bus.subscribe("tts.done")
    instance.bus.publish("tts.request", {"session_id": "plain", "text": "Hello there."})
    assert done.of_session("plain", 10).json()["completed"]
    told = degraded.of_session("plain", 5).json()
    assert told["stage"] == "tts"
    assert file in told["message"]
    if damage != "truncated":
        return  # one of them is enough

    path.unlink()
    path.symlink_to(whole)
    deadline = time.monotonic() + 30
    while speaking_voice(instance) != VOICE:
        assert time.monotonic() < deadline, "the voice did not come back"
        time.sleep(0.2)
    started = instance.bus.subscribe("tts.started")
    instance.bus.publish("tts.request", {"session_id": "whole", "text": "Hello there."})
    assert started.of_session("whole", 10)
    assert degraded.drain() == []


def speaking_voice(instance: Instance) -> str:
    components = instance.bus.request("ctrl.readiness.get")["components"]
    return next(part["detail"] for part in components if part["name"] == "tts")


def test_model_that_is_not_there_at_all(fresh_instance: Callable[..., Instance], cache: Path) -> None:
    shutil.rmtree(cache / "models" / "moonshine-tiny-en")

    expect_failure(
        fresh_instance(environment={"LOQA_CACHE_DIR": str(cache)}),
        "moonshine-tiny-en",
        "loqa models pull moonshine-tiny-en",
    )


def test_model_folder_of_the_configuration_that_is_not_there(
    fresh_instance: Callable[..., Instance], tmp_path: Path
) -> None:
    wanted = tmp_path / "my-model"

    expect_failure(fresh_instance(config=f"stt:\n  model_path: {wanted}\n"), str(wanted))


def test_model_files_that_are_no_models(fresh_instance: Callable[..., Instance], cache: Path) -> None:
    """Right in name and size: the engine itself must not end the process without a word."""
    path = cache / "models" / "moonshine-tiny-en" / "encoder_model.ort"
    size = path.stat().st_size
    path.unlink()
    path.write_bytes(b"\x55" * size)

    expect_failure(fresh_instance(environment={"LOQA_CACHE_DIR": str(cache)}), "encoder_model.ort")


# Ports and addresses


@pytest.fixture
def busy_port() -> Iterator[int]:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        yield holder.getsockname()[1]


@pytest.mark.parametrize(
    ("variable", "value", "key"),
    [
        ("LOQA_HTTP_PORT", "{}", "http.port"),
        ("LOQA_BUS_PORT", "{}", "bus.port"),
        ("LOQA_TELEMETRY_PROMETHEUS_BIND", "127.0.0.1:{}", "telemetry.prometheus_bind"),
    ],
)
def test_busy_port(
    fresh_instance: Callable[..., Instance], busy_port: int, variable: str, value: str, key: str
) -> None:
    expect_failure(fresh_instance(environment={variable: value.format(busy_port)}), str(busy_port), key)


def test_outer_bus_that_is_not_there(fresh_instance: Callable[..., Instance], busy_port: int) -> None:
    """Nobody answers on that port as a NATS server does."""
    settings = {
        "LOQA_BUS_EMBEDDED": "false",
        "LOQA_BUS_SERVERS": f"nats://127.0.0.1:{busy_port}",
        "LOQA_BUS_CONNECT_TIMEOUT_MS": "500",
    }

    expect_failure(fresh_instance(environment=settings), str(busy_port), "bus.servers")


# The data folder


def test_file_in_the_way_of_the_data_folder(fresh_instance: Callable[..., Instance], tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("not a folder")

    expect_failure(fresh_instance(data=in_the_way / "data"), str(in_the_way), "--data")


def test_data_folder_that_may_not_be_written(fresh_instance: Callable[..., Instance], tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir()
    locked.chmod(0o555)
    options = {"user": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
    for parent in [tmp_path, *tmp_path.parents]:
        if os.geteuid() == 0 and parent.is_relative_to(tmp_path.parents[1]):
            parent.chmod(0o755)  # pytest keeps its folders to itself

    instance = fresh_instance(data=locked / "data")
    try:
        code, log = instance.run_to_failure(**options)
    except PermissionError:
        pytest.skip(f"another user may not start what is in {local_loqa.BINARIES}")

    assert code == 1, log
    assert str(locked) in log
    assert "--data" in log


def test_second_instance_on_the_same_data_folder(fresh_instance: Callable[..., Instance], instance: Instance) -> None:
    second = fresh_instance(data=instance.data)

    expect_failure(second, str(instance.pid("loqa")), "--data")

    assert instance.readyz()[0] == 200, "the first one did not notice"


# Configuration


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ("stt:\n  thread: 2\n", ["loqa.yaml:2", "stt.thread", "stt.threads"]),
        ("http:\n  port: high\n", ["loqa.yaml:2", "http.port", "high"]),
        ("http:\n  port: 70000\n", ["loqa.yaml:2", "http.port", "70000", "65535"]),
        ("telemetry:\n  log_level: loud\n", ["loqa.yaml:2", "telemetry.log_level", "loud", "info"]),
        ("http: [1, 2\n", ["loqa.yaml:"]),
        ("sst:\n  threads: 2\n", ["loqa.yaml:1", "sst", "stt"]),
    ],
)
def test_bad_configuration(fresh_instance: Callable[..., Instance], config: str, words: list[str]) -> None:
    expect_failure(fresh_instance(config=config), *words, code=2)


def test_all_faults_are_told_at_once(fresh_instance: Callable[..., Instance]) -> None:
    expect_failure(
        fresh_instance(config="http:\n  port: high\nstt:\n  thread: 2\n"), "loqa.yaml:2", "loqa.yaml:4", code=2
    )


def test_configuration_file_that_is_not_there(fresh_instance: Callable[..., Instance], tmp_path: Path) -> None:
    missing = tmp_path / "nowhere.yaml"

    expect_failure(fresh_instance(environment={"LOQA_CONFIG": str(missing)}), str(missing), code=2)


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("LOQA_STT_THREAD", "2", ["LOQA_STT_THREAD", "LOQA_STT_THREADS"]),
        ("LOQA_HTTP_PORT", "high", ["LOQA_HTTP_PORT", "high"]),
    ],
)
def test_bad_variable(fresh_instance: Callable[..., Instance], variable: str, value: str, words: list[str]) -> None:
    expect_failure(fresh_instance(environment={variable: value}), *words, code=2)


@pytest.mark.parametrize("program", ["loqad", "loqa-stt", "loqa-tts"])
def test_check_config(tmp_path: Path, program: str) -> None:
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text("stt:\n  threads: 1\n")
    bad.write_text("stt:\n  threads: 1000\n")

    accepted = local_loqa.run(program, "--check-config", "--config", good)
    refused = local_loqa.run(program, "--check-config", "--config", bad)

    assert accepted.returncode == 0, accepted.stderr
    assert refused.returncode == 2
    assert f"{bad}:2" in refused.stderr
    assert "stt.threads" in refused.stderr


# The good cases beside them


def test_answers_over_an_outer_bus(outer_bus: str, fresh_instance: Callable[..., Instance]) -> None:
    instance = fresh_instance(environment={"LOQA_BUS_EMBEDDED": "false", "LOQA_BUS_SERVERS": outer_bus}).start()

    asked = instance.loqa_json("ask", "what time is it", "--no-audio")

    assert asked["outcome"] == "answered"
    assert "nats-server" not in instance.processes().values()
