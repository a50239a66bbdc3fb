"""`loqa intents` as a person and a script use it, and how it compares with the reference matcher."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from local_loqa import BINARIES, run

REPOSITORY = Path(__file__).resolve().parents[2]
HOME = REPOSITORY / "src/loqa/intent/tests/data/speech/home.yaml"

COLLECTION = """\
language: en
lists:
  percent: {range: {from: 0, to: 100}}
intents:
  HassTurnOn:
    data:
      - sentences: ["turn on [the] {name}"]
      - sentences: ["turn on the lights"]
        slots: {domain: light}
        requires_context: {area: {slot: true}}
  HassLightSet:
    data:
      - sentences: ["set [the] {name} to {percent:brightness} percent"]
"""


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(COLLECTION, encoding="utf-8")
    return path


def match(collection: Path, sentences: str, *more: str) -> list[dict]:
    command = [BINARIES / "loqa", "intents", "match", "--json", "--collection", collection, "--home", HOME, *more]
    done = subprocess.run(command, input=sentences, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_match_prints_a_line_for_each_line(collection: Path) -> None:
    got = match(collection, "turn on the desk lamp\nset the floor lamp to fifty percent\n\nturn on the toaster\nturn on the lights\n",
                "--area", "Kitchen")

    assert [one["text"] for one in got] == ["turn on the desk lamp", "set the floor lamp to fifty percent", "", "turn on the toaster",
                                            "turn on the lights"]
    assert all({"text", "intent", "slots", "confidence", "second", "error"} <= one.keys() for one in got)
    assert got[0]["intent"] == "HassTurnOn" and got[0]["slots"] == {"name": "Desk Lamp"} and got[0]["confidence"] == 1
    assert got[1]["slots"] == {"name": "Floor Lamp", "brightness": 50}
    assert got[2]["intent"] is None and got[2]["error"]
    assert got[3]["intent"] is None and "toaster" in got[3]["error"]
    assert got[4]["slots"] == {"area": "Kitchen", "domain": "light"}


def test_match_reads_whatever_a_file_may_hold(collection: Path) -> None:
    """Marks and line ends of other systems, bytes that are no text, a line without an end: a line of output for each."""
    lines = [b"\xef\xbb\xbfturn on the desk lamp\r\n", b"turn on \xff the desk lamp\n", b"turn on\0the desk lamp\n", b"a" * 3_000_000 + b"\n",
             b"turn on the desk lamp and " * 20_000 + b"\n", b"\r\n", b"turn on the desk lamp"]
    command = [BINARIES / "loqa", "intents", "match", "--json", "--collection", collection, "--home", HOME]
    done = subprocess.run(command, input=b"".join(lines), capture_output=True, timeout=30, check=True)
    got = [json.loads(line) for line in done.stdout.splitlines()]

    assert [one["intent"] for one in got] == ["HassTurnOn", None, None, None, None, None, "HassTurnOn"]
    assert got[0]["text"] == "turn on the desk lamp" and got[0]["confidence"] == 1
    assert all(one["error"] for one in got if one["intent"] is None)


@pytest.mark.parametrize(
    ("option", "content", "said"),
    [("--collection", None, "does not exist"), ("--collection", '{"intents": {\n', ":2:1: this is not JSON"),
     ("--collection", "{}", "has no intents"), ("--home", None, "does not exist"), ("--home", "a: [", ":1:")],
)
def test_match_names_the_file_that_is_wrong(collection: Path, tmp_path: Path, option: str, content: str | None, said: str) -> None:
    path = tmp_path / ("wrong.json" if option == "--collection" else "wrong.yaml")
    if content is not None:
        path.write_text(content)
    options = {"--collection": str(collection), "--home": str(HOME), option: str(path)}
    done = run("loqa", "intents", "match", "--json", *(part for pair in options.items() for part in pair), "turn on the desk lamp")

    assert done.returncode != 0 and not done.stdout
    complaint, _, hint = done.stderr.strip().partition("\n")
    assert str(path) in complaint and said in complaint and hint.strip()


def test_match_without_a_meaning_fails_for_people(collection: Path) -> None:
    shown = run("loqa", "intents", "match", "turn on the toaster", "--collection", str(collection), "--home", str(HOME))

    assert shown.returncode == 1
    assert "toaster" in shown.stdout


def test_explain_tells_the_template_and_what_it_concerns(collection: Path) -> None:
    shown = run("loqa", "intents", "explain", "turn on the desk lamp", "--collection", str(collection), "--home", str(HOME))

    assert shown.returncode == 0
    assert "HassTurnOn" in shown.stdout and "turn on [the] {name}" in shown.stdout and "light.desk_lamp" in shown.stdout
    assert f"{collection}:7:" in shown.stdout


def test_list_names_every_intent(collection: Path) -> None:
    shown = run("loqa", "intents", "list", "--collection", str(collection))

    assert shown.returncode == 0
    assert [line.split()[0] for line in shown.stdout.splitlines()] == ["HassTurnOn", "HassLightSet"]


@pytest.mark.parametrize(
    ("text", "place", "complaint"),
    [
        ("intents:\n  Mine:\n    data:\n      - sentences: [\"open [the\"]\n", "4:21", "never closed"),
        ("intents:\n  Mine:\n    data:\n      - sentences: [\"open <what>\"]\n", "4:21", "no rule <what>"),
        ("intents:\n  Mine:\n    data:\n      - words: [open]\n", "4:9", "no list of sentences"),
        ("intents: {Mine: {data: [\n", "2:1", ""),
        ("sentences: [open]\n", "1:12", "unknown key"),
    ],
)
def test_lint_says_where(tmp_path: Path, text: str, place: str, complaint: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text, encoding="utf-8")

    shown = run("loqa", "intents", "lint", str(file))

    assert shown.returncode == 1
    assert f"{file}:{place}: " in shown.stdout and complaint in shown.stdout


def test_lint_of_a_good_file_and_of_none(tmp_path: Path, collection: Path) -> None:
    assert run("loqa", "intents", "lint", str(collection)).returncode == 0
    shown = run("loqa", "intents", "lint", str(tmp_path / "nowhere.yaml"))
    assert shown.returncode == 1 and "nowhere.yaml" in shown.stdout


def test_bench_prints_figures(collection: Path) -> None:
    shown = run("loqa", "intents", "bench", "--json", "turn on the desk lamp", "--collection", str(collection), "--home", str(HOME))

    figures = json.loads(shown.stdout)
    assert figures["matched"] == 1 and figures["p99_us"] >= figures["p50_us"] > 0 and figures["memory_bytes"] > 0


@pytest.mark.slow
def test_means_what_the_reference_matcher_means(tmp_path: Path) -> None:
    command = [sys.executable, REPOSITORY / "bench/intent_differential.py", "--count", "1500", "--seed", "3", "--home", HOME, "--loqa",
               BINARIES / "loqa", "--out", tmp_path / "differences.txt"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)

    assert done.returncode == 0, done.stdout + done.stderr + (tmp_path / "differences.txt").read_text(encoding="utf-8")[-4000:]
