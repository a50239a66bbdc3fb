"""The order of the modules, and which file may see which library."""

import re
from collections import defaultdict
from pathlib import Path

import pytest

INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.MULTILINE)

# Each library whose calls can take the process down, or whose header is slow to compile, has one place that sees it.
ONE_FILE_ONLY = {
    "speech recognition": r"sherpa-onnx/.*|sherpa.*\.h(pp)?",
    "NATS": r"(nats/)?nats\.h",
    "sound devices": r"portaudio\.h",
    "resampling": r"samplerate\.h",
    "echo cancelling": r"speex/.*",
    "WebAssembly": r"wasmtime\.h|wasm\.h|wasmtime/.*",
    "HTTP server": r"httplib\.h",
    "protobuf": r"protozero/.*",
}
NOWHERE = {
    "ONNX Runtime's own header: the table in onnx/abi.hpp is used instead": r"onnxruntime.*",
    "espeak-ng's header: a GPL library is only loaded at run time": r"espeak(-ng)?/.*",
}


def modules(repository: Path) -> list[str]:
    text = (repository / "src/loqa/CMakeLists.txt").read_text()
    return re.search(r"set\(LOQA_MODULES ([a-z\s]+)\)", text)[1].split()


def sources(repository: Path, *folders: str) -> list[Path]:
    return [
        path
        for folder in folders
        for path in sorted((repository / folder).rglob("*"))
        if path.suffix in (".cpp", ".hpp", ".h")
    ]


def includes(path: Path) -> list[str]:
    return INCLUDE.findall(path.read_text())


def test_every_folder_is_a_module_of_the_list(repository: Path) -> None:
    folders = {path.name for path in (repository / "src/loqa").iterdir() if path.is_dir()}

    assert folders <= set(modules(repository))


def test_a_module_includes_only_modules_before_it(repository: Path) -> None:
    order = modules(repository)
    wrong = []
    for path in sources(repository, "src/loqa"):
        relative = path.relative_to(repository / "src/loqa")
        own = relative.parts[0]
        for include in includes(path):
            if not include.startswith("loqa/"):
                continue
            other = include.split("/")[1]
            if other not in order:
                wrong.append(f"{relative} includes {include}, which is of no module")
            elif order.index(other) > order.index(own):
                wrong.append(f"{relative} includes {include}, which comes after {own}")
    assert wrong == []


def test_modules_do_not_know_the_apps(repository: Path) -> None:
    wrong = [
        f"{path.relative_to(repository)} includes {include}"
        for path in sources(repository, "src/loqa")
        for include in includes(path)
        if "apps/" in include or include.startswith("../")
    ]
    assert wrong == []


def test_module_includes_resolve(repository: Path) -> None:
    wrong = [
        f"{path.relative_to(repository)} includes {include}"
        for path in sources(repository, "src/loqa", "apps", "bench")
        for include in includes(path)
        if include.startswith("loqa/") and not (repository / "src" / include).exists()
    ]
    assert wrong == []


@pytest.mark.parametrize("what", ONE_FILE_ONLY)
def test_one_file_sees_the_library(repository: Path, what: str) -> None:
    pattern = re.compile(ONE_FILE_ONLY[what])
    users = defaultdict(list)
    for path in sources(repository, "src", "apps", "bench"):
        if "tests" not in path.parts and any(pattern.fullmatch(include) for include in includes(path)):
            users[what].append(str(path.relative_to(repository)))
    assert len(users[what]) <= 1, users


@pytest.mark.parametrize("what", NOWHERE)
def test_no_file_sees_the_library(repository: Path, what: str) -> None:
    pattern = re.compile(NOWHERE[what])
    users = [
        str(path)
        for path in sources(repository, "src", "apps", "bench")
        if any(pattern.fullmatch(i) for i in includes(path))
    ]
    assert users == []


def test_headers_begin_with_what_they_are(repository: Path) -> None:
    wrong = []
    for path in sources(repository, "src/loqa", "apps"):
        if path.suffix != ".hpp" or "tests" in path.parts:
            continue
        text = path.read_text()
        if not text.startswith("// ") or "#pragma once" not in text:
            wrong.append(str(path.relative_to(repository)))
    assert wrong == []


def test_every_module_is_told_in_the_readme(repository: Path) -> None:
    readme = (repository / "src/loqa/README.md").read_text()
    missing = [
        path.name for path in (repository / "src/loqa").iterdir() if path.is_dir() and f"{path.name}/" not in readme
    ]

    assert missing == []


def test_no_links_between_processes_and_gpl_libraries(repository: Path) -> None:
    """In CMake files as little as in the sources: espeak-ng is opened at run time, never linked."""
    files = [
        *repository.glob("cmake/*.cmake"),
        *repository.glob("src/**/CMakeLists.txt"),
        *repository.glob("apps/**/CMakeLists.txt"),
    ]

    assert [str(file) for file in files if re.search(r"espeak", file.read_text())] == []
