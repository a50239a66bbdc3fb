"""`scripts/models.py` against a server that gives, withholds, cuts off and falsifies."""

import base64
import hashlib
import io
import json
import os
import struct
import subprocess
import sys
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts/models.py"
ARCHIVE = "small_voice-1.0.0-py3-none-any.whl"
WEIGHTS = bytes(range(256)) * 400
# Lengths as Moonshine writes them: one byte, two from 128 on, 0 for an unused id.
TOKENIZER = b"\x03the" + b"\x00" + b"\x06\xe2\x96\x81cat" + bytes([128 + 200 % 128, 200 // 128]) + b"x" * 200
TOKENS = ["the", "<unused1>", " cat", "x" * 200]


class Mirror:
    """A server of one archive, which it gives by whatever name. What it does with it is set before each pull."""

    def __init__(self, archive: bytes):
        self.status, self.body, self.announced = 200, archive, len(archive)
        self.asked: list[str] = []
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                mirror.asked.append(self.path)
                self.send_response(mirror.status)
                if mirror.announced is not None:
                    self.send_header("Content-Length", str(mirror.announced))
                self.end_headers()
                try:
                    self.wfile.write(mirror.body)
                except ConnectionError:
                    pass  # the client had enough

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}/models"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def described(path: str, source: str, contents: bytes, **more) -> dict:
    sha256 = hashlib.sha256(contents).hexdigest()
    return {"path": path, "source": source, "size": len(contents), "sha256": sha256, **more}


@pytest.fixture(scope="session")
def archive(tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("archive") / ARCHIVE
    with zipfile.ZipFile(path, "w") as members:
        members.writestr("small_voice/weights.ort", WEIGHTS)
        members.writestr("small_voice/tokenizer.bin", TOKENIZER)
    return path.read_bytes()


@pytest.fixture
def mirror(archive):
    server = Mirror(archive)
    yield server
    server.close()


@pytest.fixture
def manifest(archive, tmp_path) -> Path:
    lines = (f"{base64.b64encode(token.encode()).decode()} {number}\n" for number, token in enumerate(TOKENS))
    tokens = "".join(lines).encode()
    small = {
        "name": "small-voice",
        "folder": "models",
        "kind": "stt",
        "license": "MIT",
        "about": "a model for tests",
        "archive": {"package": "small-voice", "version": "1.0.0", "file": ARCHIVE}
        | {"size": len(archive), "sha256": hashlib.sha256(archive).hexdigest()},
        "files": [
            described("weights.ort", "small_voice/weights.ort", WEIGHTS),
            described("tokens.txt", "small_voice/tokenizer.bin", tokens, convert="moonshine-tokens"),
        ],
    }
    path = tmp_path / "models.json"
    path.write_text(json.dumps({"assets": [small]}))
    return path


@pytest.fixture
def models(manifest, mirror, tmp_path):
    def run(*arguments: str, address: str = mirror.address) -> subprocess.CompletedProcess:
        environment = os.environ | {"LOQA_CACHE_DIR": str(tmp_path / "cache"), "LOQA_MODELS_MIRROR": address}
        command = [sys.executable, SCRIPT, "--manifest", manifest, *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30)

    return run


def left_in(cache: Path) -> list[str]:
    return sorted(str(path.relative_to(cache)) for path in cache.rglob("*") if path.is_file())


INSTALLED = [".assets.lock", "models/small-voice/tokens.txt", "models/small-voice/weights.ort"]


def test_a_model_is_fetched_converted_and_verified(models, mirror, tmp_path):
    pulled = models("pull", "small-voice")
    assert pulled.returncode == 0, pulled.stderr
    assert mirror.asked == [f"/models/{ARCHIVE}"]
    assert left_in(tmp_path / "cache") == INSTALLED
    assert (tmp_path / "cache/models/small-voice/weights.ort").read_bytes() == WEIGHTS
    assert models("verify").returncode == 0
    assert "installed" in models("list").stdout


def test_what_is_there_is_not_fetched_again(models, mirror):
    models("pull", "small-voice")
    again = models("pull", "small-voice")
    assert again.returncode == 0
    assert "already there" in again.stdout
    assert len(mirror.asked) == 1


def test_a_damaged_model_is_found_and_mended(models, tmp_path):
    models("pull", "small-voice")
    weights = tmp_path / "cache/models/small-voice/weights.ort"

    weights.write_bytes(WEIGHTS[:-1])  # cut off: seen without reading it
    assert models("missing").stdout == "small-voice\n"
    verified = models("verify")
    assert verified.returncode == 1
    assert f"weights.ort has {len(WEIGHTS) - 1} bytes, expected {len(WEIGHTS)}" in verified.stderr
    assert "loqa models pull small-voice" in verified.stderr

    weights.write_bytes(b"!" + WEIGHTS[1:])  # changed: seen by reading it
    assert "other contents" in models("verify").stderr

    weights.unlink()
    assert models("pull", "small-voice").returncode == 0
    assert models("verify").returncode == 0


def cut_off_on_the_way(mirror):
    mirror.body = mirror.body[: len(mirror.body) // 2]


def shorter_than_it_should_be(mirror):
    mirror.body = mirror.body[:-100]
    mirror.announced = len(mirror.body)


def falsified(mirror):
    mirror.body = mirror.body[:-1] + bytes([mirror.body[-1] ^ 1])


def endless(mirror):
    mirror.body = mirror.body + bytes(50_000_000)
    mirror.announced = None


def not_there(mirror):
    mirror.status, mirror.body, mirror.announced = 404, b"no such file", 12


@pytest.mark.parametrize(
    "does, words",
    [
        (cut_off_on_the_way, "cut off"),
        (shorter_than_it_should_be, "cut off"),
        (falsified, "is not the file expected"),
        (endless, "expected"),
        (not_there, "404"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_bad_answer_is_an_error_that_names_the_file_and_leaves_nothing(models, mirror, tmp_path, does, words):
    good = mirror.status, mirror.body, mirror.announced
    does(mirror)
    pulled = models("pull", "small-voice")
    assert pulled.returncode == 1
    assert ARCHIVE in pulled.stderr and words in pulled.stderr
    assert "Traceback" not in pulled.stderr
    assert left_in(tmp_path / "cache") == [".assets.lock"]

    mirror.status, mirror.body, mirror.announced = good  # the same command again is all it takes
    assert models("pull", "small-voice").returncode == 0
    assert left_in(tmp_path / "cache") == INSTALLED


@pytest.mark.parametrize(
    "address, words",
    [("http://127.0.0.1:1/models", "refused"), ("ftp://127.0.0.1/models", "http://")],
    ids=["nobody listens", "not a web address"],
)
def test_a_bad_mirror_address_is_an_error_that_names_the_setting(models, address, words):
    pulled = models("pull", "small-voice", address=address)
    assert pulled.returncode == 1
    assert "LOQA_MODELS_MIRROR" in pulled.stderr and words in pulled.stderr
    assert "Traceback" not in pulled.stderr


def test_an_unknown_name_is_an_error_that_lists_the_known_ones(models):
    pulled = models("pull", "small-vioce")
    assert pulled.returncode == 1
    assert "small-vioce" in pulled.stderr and "There are: small-voice" in pulled.stderr


def test_what_an_interrupted_pull_left_is_removed_by_the_next(models, tmp_path):
    left_over = tmp_path / "cache/.unfinished-abc/archive"
    left_over.mkdir(parents=True)
    (left_over / ARCHIVE).write_bytes(b"half")
    assert models("pull", "small-voice").returncode == 0
    assert left_in(tmp_path / "cache") == INSTALLED


def test_two_pulls_at_the_same_time_fetch_once(models, mirror, tmp_path):
    pulls = [threading.Thread(target=models, args=("pull", "small-voice")) for _ in range(3)]
    for pull in pulls:
        pull.start()
    for pull in pulls:
        pull.join()
    assert len(mirror.asked) == 1
    assert left_in(tmp_path / "cache") == INSTALLED


# Models that are made of several archives, or of other forms than they are read in


class Shelf:
    """A server of files by their names."""

    def __init__(self, files: dict[str, bytes]):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                content = files.get(self.path.rsplit("/", 1)[1])
                self.send_response(200 if content is not None else 404)
                self.end_headers()
                self.wfile.write(content or b"")

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def __enter__(self) -> "Shelf":
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def zipped(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def tarred(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def pinned(file: str, content: bytes, **more) -> dict:
    sha256 = hashlib.sha256(content).hexdigest()
    return {"package": file.split("-")[0], "version": "1", "file": file, "size": len(content), "sha256": sha256, **more}


def pull_from(shelf: Shelf, asset: dict, folder: Path) -> subprocess.CompletedProcess:
    manifest = folder / "models.json"
    manifest.write_text(json.dumps({"assets": [{"folder": "models", "license": "MIT", "about": "", **asset}]}))
    environment = os.environ | {"LOQA_CACHE_DIR": str(folder / "cache"), "LOQA_MODELS_MIRROR": shelf.address}
    command = [sys.executable, SCRIPT, "--manifest", manifest, "pull", asset["name"]]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30)


def test_a_model_in_parts_is_put_together_in_their_order(tmp_path):
    files = {
        "voice1-1-py3-none-any.whl": zipped({"one/part.bin": b"first "}),
        "voice2-1-py3-none-any.whl": zipped({"two/part.bin": b"second"}),
        "voice3-1.tgz": tarred({"package/speaker.bin": b"third"}),
    }
    asset = {
        "name": "voice",
        "archives": [pinned(name, content) for name, content in files.items()],
        "files": [
            described("model.onnx", ["one/part.bin", "two/part.bin"], b"first second"),
            described("speakers/a.bin", "package/speaker.bin", b"third"),
        ],
    }
    with Shelf(files) as shelf:
        pulled = pull_from(shelf, asset, tmp_path)
    assert pulled.returncode == 0, pulled.stderr
    folder = tmp_path / "cache/models/voice"
    assert (folder / "model.onnx").read_bytes() == b"first second"
    assert (folder / "speakers/a.bin").read_bytes() == b"third"


def test_a_part_that_is_not_there_leaves_nothing(tmp_path):
    whole = {"voice1-1-py3-none-any.whl": zipped({"a": b"a"}), "voice2-1-py3-none-any.whl": zipped({"b": b"b"})}
    asset = {
        "name": "voice",
        "archives": [pinned(name, content) for name, content in whole.items()],
        "files": [described("model", ["a", "b"], b"ab")],
    }
    del whole["voice2-1-py3-none-any.whl"]
    with Shelf(whole) as shelf:
        pulled = pull_from(shelf, asset, tmp_path)
    assert pulled.returncode == 1
    assert "voice2-1-py3-none-any.whl" in pulled.stderr and "404" in pulled.stderr
    assert left_in(tmp_path / "cache") == [".assets.lock"]


def ct2_model(names_and_shapes: dict[str, tuple[int, ...]]) -> bytes:
    """CTranslate2's form: each tensor's values are 0, 1, 2 … in half precision."""

    def text(value: str) -> bytes:
        return struct.pack("<H", len(value) + 1) + value.encode() + b"\0"

    out = [struct.pack("<I", 6), text("WhisperSpec"), struct.pack("<II", 3, len(names_and_shapes))]
    for name, shape in names_and_shapes.items():
        count = 1
        for size in shape:
            count *= size
        data = struct.pack(f"<{count}e", *(number % 100 for number in range(count)))
        out += [text(name), struct.pack(f"<B{len(shape)}IBI", len(shape), *shape, 4, len(data)), data]
    return b"".join(out)


def test_a_whisper_model_that_was_cut_off_is_an_error_without_a_trace(tmp_path):
    model = ct2_model({"decoder/embeddings/weight": (51_864, 1)})[:-10]
    files = {"whisper-1-py3-none-any.whl": zipped({"model.bin": model, "tokenizer.json": b"{}"})}
    asset = {
        "name": "whisper",
        "archive": pinned("whisper-1-py3-none-any.whl", files["whisper-1-py3-none-any.whl"]),
        "files": [described("ggml-model.bin", ["tokenizer.json", "model.bin"], b"x", convert="whisper-ggml")],
    }
    with Shelf(files) as shelf:
        pulled = pull_from(shelf, asset, tmp_path)
    assert pulled.returncode == 1
    assert "whisper" in pulled.stderr and "cut off" in pulled.stderr
    assert "Traceback" not in pulled.stderr
    assert left_in(tmp_path / "cache") == [".assets.lock"]
