"""A running Loqa, started as a person starts it: `loqa up`.

Everything it starts inherits a marker in its environment, by which its processes are found again, orphans included; no
other process is ever signalled.
"""

import contextlib
import json
import os
import queue
import selectors
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path

from bus import Bus

REPOSITORY = Path(__file__).resolve().parents[2]
BINARIES = Path(os.environ.get("LOQA_BIN", REPOSITORY / "build" / "bin"))
CACHE = Path(
    os.environ.get("LOQA_CACHE_DIR") or Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "loqa"
)
MARKER = "SYSTEM_TEST_INSTANCE"

START_S = 60.0  # cold disk, models to load, other tests on the same two cores
END_S = 10.0
USUAL_START_S = 3.5  # a machine that takes longer for it is as much slower at all else


class DidNotStart(Exception):
    pass


def clean_environment(**changes: str) -> dict[str, str]:
    """This process's environment without its settings for Loqa: what a test does not say is at its default."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LOQA_")}
    environment["LOQA_CACHE_DIR"] = str(CACHE)
    environment["XDG_CONFIG_HOME"] = "/nonexistent"
    environment.update(changes)
    return environment


def run(*command: object, timeout: float = 30, **options: object) -> subprocess.CompletedProcess:
    """A program of Loqa's to its end: `run("loqa", "doctor")`. Nothing is checked."""
    options.setdefault("env", clean_environment())
    return subprocess.run(
        [str(BINARIES / str(command[0])), *map(str, command[1:])],
        timeout=timeout, capture_output=True, text=True, stdin=subprocess.DEVNULL, **options,
    )  # fmt: skip


def marked_processes(marker: str) -> dict[int, str]:
    """Process id and program name of all that carry the marker."""
    wanted = f"{MARKER}={marker}".encode()
    found = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            if wanted not in (folder / "environ").read_bytes().split(b"\0"):
                continue
            state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
            if state not in "ZX":
                found[int(folder.name)] = os.path.basename(os.readlink(folder / "exe"))
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # ended meanwhile, or is somebody else's
    return found


def wait_for_end(pids: list[int], timeout: float) -> list[int]:
    """Waits until all of them are gone; returns those that are not."""
    deadline = time.monotonic() + timeout
    left = []
    for pid in pids:
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(handle, selectors.EVENT_READ)
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    left.append(pid)
        finally:
            os.close(handle)
    return left


class Instance:
    def __init__(
        self,
        folder: Path,
        environment: dict[str, str] | None = None,
        config: str | None = None,
        data: Path | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.marker = uuid.uuid4().hex
        self.data = data or folder / "data"
        self.log_file = folder / "loqa-up.log"
        self.environment = clean_environment(
            LOQA_HTTP_PORT="0", LOQA_TELEMETRY_PROMETHEUS_BIND="127.0.0.1:0", **{MARKER: self.marker}
        )
        self.environment.update(environment or {})
        self.config: Path | None = None
        if config is not None:
            self.config = folder / "loqa.yaml"
            self.config.write_text(config)
        self._up: subprocess.Popen | None = None
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._bus: Bus | None = None
        self.started_in = 0.0  # seconds

    # Starting and ending

    def in_time(self, seconds: float) -> float:
        """A limit that is meant for a machine of usual speed, stretched for this one."""
        return seconds * max(1.0, self.started_in / USUAL_START_S)

    def launch(self, **options: object) -> subprocess.Popen:
        """Starts `loqa up` and does not wait."""
        command = [str(BINARIES / "loqa"), "up", "--data", str(self.data)]
        if self.config:
            command += ["--config", str(self.config)]
        self._lines = queue.Queue()
        with self.log_file.open("ab") as log:
            self._up = subprocess.Popen(
                command,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                **options,
            )
        threading.Thread(target=self._read_lines, args=(self._up, self._lines), daemon=True).start()
        return self._up

    @staticmethod
    def _read_lines(process: subprocess.Popen, lines: "queue.Queue[str | None]") -> None:
        for line in process.stdout:
            lines.put(line.rstrip("\n"))
        lines.put(None)

    def start(self, timeout: float = START_S, **options: object) -> "Instance":
        """Starts it and waits for the line `ready`."""
        began = time.monotonic()
        self.launch(**options)
        try:
            line = self._lines.get(timeout=timeout)
        except queue.Empty:
            raise DidNotStart(f"no line on standard output within {timeout} s\n{self.log()}") from None
        if line is None:
            raise DidNotStart(f"loqa up ended with exit code {self._up.wait(END_S)}\n{self.log()}")
        assert line == "ready", f"standard output has {line!r} where `ready` alone was promised"
        self.started_in = time.monotonic() - began
        return self

    def run_to_failure(self, timeout: float = START_S, **options: object) -> tuple[int, str]:
        """For a start that must fail: exit code and what was written for the person."""
        process = self.launch(**options)
        code = process.wait(timeout)
        assert self._lines.get(timeout=END_S) is None, "something on standard output although the start failed"
        return code, self.log()

    def stop(self, number: int = signal.SIGTERM, timeout: float = END_S) -> int:
        """Asks `loqa up` to end and returns its exit code."""
        self.disconnect()
        self._up.send_signal(number)
        return self._up.wait(timeout)

    def other_lines(self) -> list[str]:
        """What standard output had besides `ready`, once it has ended."""
        return list(iter(lambda: self._lines.get(timeout=END_S), None))

    def destroy(self) -> None:
        """For the end of a test: whatever is left of this instance goes."""
        self.disconnect()
        if self._up and self._up.poll() is None:
            self._up.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._up.wait(END_S)
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self._up:
            self._up.wait(END_S)

    # Looking at it

    def processes(self) -> dict[int, str]:
        return marked_processes(self.marker)

    def pid(self, program: str) -> int:
        if program == "loqa":
            return self._up.pid
        pids = [pid for pid, name in self.processes().items() if name == program]
        assert len(pids) == 1, f"{len(pids)} processes are {program}: {self.processes()}"
        return pids[0]

    def log(self) -> str:
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def loqa(self, *arguments: object, timeout: float = 30, **options: object) -> subprocess.CompletedProcess:
        """A command of the `loqa` program against this instance."""
        options.setdefault("env", clean_environment())
        return run("loqa", *arguments, "--data", self.data, timeout=timeout, **options)

    def loqa_json(self, *arguments: object, timeout: float = 30) -> dict:
        done = self.loqa(*arguments, "--json", timeout=timeout)
        assert done.returncode == 0, (
            f"loqa {arguments}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}\n{self.log()[-3000:]}"
        )
        return json.loads(done.stdout)

    def addresses(self) -> dict[str, str]:
        return self.loqa_json("env")

    def readyz(self) -> tuple[int, dict]:
        try:
            with urllib.request.urlopen(self.addresses()["http_url"] + "/readyz", timeout=5) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    @property
    def bus(self) -> Bus:
        """One connection, kept while the instance lives."""
        if self._bus is None:
            self._bus = Bus(self.addresses()["nats_url"])
        return self._bus

    def disconnect(self) -> None:
        if self._bus is not None:
            self._bus.close()
            self._bus = None
