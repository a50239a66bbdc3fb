"""Other engines than the default ones, behind the same configuration: each heard, or asked, through a running Loqa."""

import array
import json
import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import client
import local_loqa
import pcm
import spoken
from local_loqa import Instance, run

RECORDINGS = Path("/usr/share/pocketsphinx/test/data/cards")
QUESTION = "what time is it"


def installed(model: str) -> bool:
    return (local_loqa.CACHE / "models" / model).is_dir()


def has_whisper() -> bool:
    return (local_loqa.CACHE / "engines/whisper/loqa-whisper").exists()


needs_whisper = pytest.mark.skipif(
    not has_whisper() or not installed("whisper-tiny-en"), reason="not installed: scripts/setup.sh whisper"
)
needs_kokoro = pytest.mark.skipif(not installed("kokoro-v1.0"), reason="not installed: loqa models pull kokoro-v1.0")


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Two recordings of people, in the plain form: NAME.wav and NAME.txt."""
    if not RECORDINGS.exists():
        pytest.skip("pocketsphinx-testdata is not installed: run scripts/setup.sh test")
    folder = tmp_path / "corpus"
    folder.mkdir()
    for name, said in (("001", "ten of clubs"), ("003", "seven of clubs")):
        shutil.copy(RECORDINGS / f"{name}.wav", folder)
        (folder / f"{name}.txt").write_text(said + "\n")
    return folder


def test_a_program_of_ones_own_recognises(
    fresh_instance: Callable[..., Instance], voices: Callable[[str, str], Path]
) -> None:
    """The exec mode as older configurations have it, with a real recogniser behind it: loqa-transcribe takes its form."""
    program = local_loqa.BINARIES / "loqa-transcribe"
    instance = fresh_instance(
        config=f"stt:\n  mode: exec\n  command: {program}\n  model_path: moonshine-tiny-en\n  publish_interim: false\n"
    ).start()

    said = instance.loqa_json("say", voices("flite-slt", QUESTION), "--out", instance.data / "answer.wav")

    assert said["outcome"] == "answered", said
    assert spoken.says(said["heard"], QUESTION), said["heard"]


def test_transcribe_writes_recordings_down(corpus: Path) -> None:
    written = run("loqa-transcribe", *sorted(corpus.glob("*.wav")))

    assert written.returncode == 0, written.stderr
    texts = [json.loads(line)["text"] for line in written.stdout.splitlines()]
    assert [spoken.words(text) for text in texts] == [["ten", "of", "clubs"], ["seven", "of", "clubs"]]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["/no/such/file.wav"], ["/no/such/file.wav"]),
        (["--model", "/no/such/model", "x.wav"], ["/no/such/model"]),
        (["--engine", "parrot", "x.wav"], ["parrot", "transducer"]),
        (["--engine", "transducer", "--model", "moonshine-tiny-en", "x.wav"], ["moonshine-tiny-en", "encoder"]),
        ([], ["--help"]),
    ],
)
def test_transcribe_says_what_is_wrong(arguments: list[str], words: list[str]) -> None:
    failed = run("loqa-transcribe", *arguments)

    assert failed.returncode == 1
    for word in words:
        assert word in failed.stderr


def test_bench_compares_engines(corpus: Path) -> None:
    benched = run("loqa", "bench", "stt", "--corpus", corpus, "--engine", "moonshine:moonshine-tiny-en", "--json")

    assert benched.returncode == 0, benched.stderr
    result = json.loads(benched.stdout)
    assert result["utterances"] == 2
    (engine,) = result["engines"]
    assert engine["engine"] == "moonshine:moonshine-tiny-en"
    assert (engine["words"], engine["wrong_words"], engine["exact_utterances"]) == (6, 0, 2)
    assert 0 < engine["latency_ms"]["p50"] <= engine["latency_ms"]["p95"]
    assert 0 < engine["real_time_factor"]
    assert engine["peak_memory_mb"] > 50


def test_bench_goes_on_after_an_engine_that_fails(corpus: Path) -> None:
    broken, good = "transducer:/no/such/folder", "moonshine:moonshine-tiny-en"
    benched = run("loqa", "bench", "stt", "--corpus", corpus, "--engine", broken, "--engine", good)

    assert benched.returncode == 1
    assert "/no/such/folder" in benched.stdout
    assert f"{good}    0.0%" in benched.stdout, benched.stdout


def test_bench_without_recordings_says_what_to_do(tmp_path: Path) -> None:
    benched = run("loqa", "bench", "stt", "--corpus", tmp_path)

    assert benched.returncode == 1
    assert str(tmp_path) in benched.stderr and ".txt" in benched.stderr


def test_an_engine_that_is_not_installed_says_how_to_install_it(
    fresh_instance: Callable[..., Instance], tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    for entry in local_loqa.CACHE.iterdir():
        if entry.name != "engines":
            (cache / entry.name).symlink_to(entry)
    (cache / "engines").mkdir()
    for engine in (local_loqa.CACHE / "engines").iterdir():
        if engine.name != "whisper":
            (cache / "engines" / engine.name).symlink_to(engine)

    code, log = fresh_instance(
        config="stt:\n  mode: whisper\n  model_path: whisper-tiny-en\n", environment={"LOQA_CACHE_DIR": str(cache)}
    ).run_to_failure()

    assert code == 1
    assert "scripts/setup.sh whisper" in log


@needs_whisper
@pytest.mark.slow
def test_whisper_hears_what_was_said_and_invents_nothing(
    fresh_instance: Callable[..., Instance], voices: Callable[[str, str], Path]
) -> None:
    instance = fresh_instance(config="stt:\n  mode: whisper\n  model_path: whisper-tiny-en\n").start()

    said = instance.loqa_json("say", voices("flite-slt", QUESTION), "--out", instance.data / "answer.wav")
    assert said["outcome"] == "answered", said
    assert spoken.says(said["heard"], QUESTION), said["heard"]

    for quiet in (pcm.silence(8), pcm.noise(8, -60), pcm.noise(8, -30)):
        session_id = client.new_session()
        finals = instance.bus.subscribe("stt.text.final")
        client.send_at_once(instance.bus, session_id, quiet)
        heard = finals.of_session(session_id, 60).json()
        finals.close()
        assert (heard["text"], heard["reason"]) == ("", "no_speech")


# Straight to the engine, without the detector of speech before it.
@needs_whisper
@pytest.mark.slow
@pytest.mark.parametrize(
    "clip",
    [pcm.silence(5), pcm.noise(5, -70), pcm.noise(5, -40), pcm.noise(5, -20), pcm.silence(0.05), pcm.silence(30)],
    ids=["silence", "hiss", "louder hiss", "loud hiss", "50 ms", "30 s"],
)
def test_whisper_itself_invents_nothing(clip: pcm.Clip, tmp_path: Path) -> None:
    pcm.write_wav(tmp_path / "quiet.wav", clip)
    written = run(
        "loqa-transcribe", "--engine", "whisper", "--model", "whisper-tiny-en", tmp_path / "quiet.wav", timeout=60
    )

    assert written.returncode == 0, written.stderr
    assert json.loads(written.stdout)["text"] == ""


@needs_whisper
@pytest.mark.parametrize("damage", ["truncated", "garbage", "empty"])
def test_a_damaged_whisper_model_is_named(tmp_path: Path, damage: str) -> None:
    whole = (local_loqa.CACHE / "models/whisper-tiny-en/ggml-model.bin").read_bytes()
    content = {"truncated": whole[: len(whole) // 2], "garbage": b"\x55" * 1_000_000, "empty": b""}[damage]
    (tmp_path / "ggml-model.bin").write_bytes(content)

    failed = run("loqa-transcribe", "--engine", "whisper", "--model", tmp_path, "x.wav", timeout=60)

    assert failed.returncode == 1
    assert str(tmp_path / "ggml-model.bin") in failed.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "engine",
    ["moonshine:moonshine-tiny-en", pytest.param("whisper:whisper-tiny-en", marks=needs_whisper)],
)
def test_memory_does_not_grow_with_the_number_of_utterances(engine: str, tmp_path: Path) -> None:
    """Long and short ones in turn: what the longest took is kept, the second of them adds a little, and no more is added."""
    name, model = engine.split(":")
    command = [local_loqa.BINARIES / "loqa-transcribe", "--serve", "--engine", name, "--model", model]
    peaks = []
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=local_loqa.clean_environment()
    ) as worker:
        assert json.loads(worker.stdout.readline())["ready"]
        for number in range(24):
            samples = array.array("f", (random.uniform(-0.1, 0.1) for _ in range(16_000 * (20, 1, 5, 2)[number % 4])))
            worker.stdin.write(json.dumps({"samples": len(samples)}).encode() + b"\n" + samples.tobytes())
            worker.stdin.flush()
            answer = json.loads(worker.stdout.readline())
            assert "text" in answer, answer
            peaks.append(answer["peak_kb"])
        worker.stdin.close()
        assert worker.wait(10) == 0

    assert peaks[-1] < 1.05 * peaks[7], peaks


@needs_kokoro
@pytest.mark.slow
def test_kokoro_can_be_understood(
    fresh_instance: Callable[..., Instance], recogniser: Callable[[pcm.Clip], str]
) -> None:
    instance = fresh_instance(
        config="tts:\n  mode: kokoro\n  model_path: kokoro-v1.0\n  voice: af_heart\n  sample_rate: 24000\n"
    ).start()

    for text in ("The timer is set for ten minutes.", "The kitchen lights are on."):
        clip = client.synthesise(instance.bus, text, timeout=60)
        assert clip.rate_hz == 24_000
        assert spoken.likeness(text, recogniser(clip)) > 0.85
