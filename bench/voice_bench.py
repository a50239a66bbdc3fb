#!/usr/bin/env python3
"""End of speech to first audible sample, on real models, in real time.

Commands are spoken by synthesisers of different kinds and streamed to a running Loqa in frames of 20 ms, each sent when
a microphone would have it. The client never marks the end of an utterance: silence goes on, and Loqa has to find out.
All times are of this one process's monotonic clock:

  end of speech   when the frame with the clip's last speech sample was sent. That sample is found beforehand, in the
                  clean clip: the last one that is louder than the clip's peak less 45 dB.
  first audible   when the first message of the answer arrived in which a sample is louder than -45 dBFS. A speaker
                  would play it then.

Between them lies everything a person waits for, the endpointing included. The parts are Loqa's own figures: the stages
of session.ended (each counted from the one before it; stt and first_chunk from the end of speech as the voice detector
saw it), and the spans of the turns' traces. A round trip to the bus server and back, measured by the same client in the
same run, is the floor that shows how fast the machine was.
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY / "tests" / "support"))

import client  # noqa: E402
import pcm  # noqa: E402
import spoken  # noqa: E402
import voices  # noqa: E402
from bus import Bus, Message  # noqa: E402
from local_loqa import Instance  # noqa: E402

RESULTS = REPOSITORY / "bench" / "RESULTS.md"
OWN_VOICE = "piper"
VOICES = (*voices.ALL, OWN_VOICE)
COMMANDS = (
    "what time is it",
    "what is the date today",
    "what day is it",
    "tell me the time",
    "set a timer for ten minutes",
    "set a timer for forty five seconds",
    "start a timer for one hour and thirty minutes",
    "set a kitchen timer for twelve minutes",
    "how much time is left on my timer",
    "cancel my timer",
    "cancel all timers",
    "thank you",
)
FLOOR_ROUND_TRIPS = 500
ANSWER_WITHIN_S = 8.0


@dataclass
class Measured:
    voice: str
    command: str
    heard: str = ""
    outcome: str = "no answer"
    total_ms: float | None = None  # end of speech to first audible
    lead_in_ms: float | None = None  # near-silence before the first audible sample of the answer
    session_id: str = ""
    stages_ms: dict[str, float] = field(default_factory=dict)  # from session.ended
    hops_ms: dict[str, float] = field(default_factory=dict)  # spans of the turn's trace
    cut_off: bool = False  # the final transcript came before the last speech sample had been sent

    @property
    def lost_last_word(self) -> bool:
        """The last word did not make it into the transcript: cut off or misheard."""
        last = spoken.words(self.command)[-1]
        return last not in spoken.words(self.heard)[-3:]

    @property
    def exact(self) -> bool:
        return spoken.words(self.command) == spoken.words(self.heard)


class Listener:
    """What is heard of one answer; tells Loqa when the first of it is audible, as a speaker does."""

    def __init__(self, bus: Bus, satellite: client.Satellite) -> None:
        self._bus = bus
        self._satellite = satellite
        self.audible_at: float | None = None
        self.lead_in_ms = 0.0

    def listen_until(self, deadline: float) -> None:
        while (left := deadline - time.monotonic()) > 0:
            with contextlib.suppress(TimeoutError):
                self._take(self._satellite.sound.get(left))

    def _take(self, message: Message) -> None:
        if self.audible_at is not None:
            return
        rate = int(message.headers["Loqa-Rate"])
        quiet = pcm.first_audible(message.data)
        self.lead_in_ms += (len(message.data) // 2 if quiet is None else quiet) * 1000 / rate
        if quiet is not None:
            self.audible_at = message.arrived
            name = self._satellite.session_id
            self._bus.publish("playback.started", {"session_id": name, "target": name})


def measure(bus: Bus, voice: str, command: str, clip: pcm.Clip) -> Measured:
    """One utterance in a session of its own, from its first frame to the end of its turn."""
    assert clip.channels == 1
    result = Measured(voice, command)
    end_frame = pcm.end_of_speech(clip) // (clip.frame_bytes() // 2)
    finals = bus.subscribe("stt.text.final")
    with client.Satellite(bus) as satellite:
        name = result.session_id = satellite.session_id
        listener = Listener(bus, satellite)
        end_of_speech = 0.0
        ended: dict | None = None
        start = time.monotonic()
        for i, frame in enumerate((clip + pcm.silence(ANSWER_WITHIN_S, clip.rate_hz)).frames()):
            listener.listen_until(start + (i + 1) * pcm.FRAME_MS / 1000)
            if i == end_frame:
                end_of_speech = time.monotonic()
            bus.publish(f"audio.pcm.{name}", frame, client.audio_headers(name, i, clip))
            ended = ended or next((m.json() for m in satellite.ended.drain() if m.session_id == name), None)
            if ended and i >= end_frame:
                result.heard, result.outcome, result.stages_ms = ended["heard"], ended["outcome"], ended["stages_ms"]
                break
        finals.close()
        result.cut_off = any(m.arrived < end_of_speech for m in finals.drain() if m.session_id == name)
        if listener.audible_at is not None and not result.cut_off:
            result.total_ms = (listener.audible_at - end_of_speech) * 1000
            result.lead_in_ms = listener.lead_in_ms
    return result


def add_hops(bus: Bus, results: list[Measured]) -> None:
    """How long each span of the turns took. Asked for at the end, when all the spans have come."""
    for result in results:
        trace = bus.request("trace.get", {"session_id": result.session_id})
        for span in trace.get("spans", []):
            if span["name"] != "voice.session":
                took = (span["end_us"] - span["start_us"]) / 1000
                result.hops_ms[span["name"]] = result.hops_ms.get(span["name"], 0.0) + took


def cancel_timers(bus: Bus) -> None:
    for timer in bus.request("timers.list")["timers"]:
        bus.request("timers.cancel", {"id": timer["id"]})


def round_trips_ms(bus: Bus) -> list[float]:
    """Client to nats-server and back, nothing behind it."""
    found = []
    for _ in range(FLOOR_ROUND_TRIPS):
        begin = time.monotonic()
        bus.flush()
        found.append((time.monotonic() - begin) * 1000)
    return found


@dataclass(frozen=True)
class Summary:
    """Order statistics of one series, in milliseconds."""

    count: int
    least: float
    median: float
    p95: float
    p99: float

    @classmethod
    def of(cls, values: list[float]) -> "Summary":
        ordered = sorted(values)

        def rank(share: float) -> float:
            return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

        return cls(len(ordered), ordered[0], statistics.median(ordered), rank(0.95), rank(0.99))

    def row(self, name: str) -> str:
        return f"| {name} | {self.count} | {self.least:.1f} | {self.median:.1f} | {self.p95:.1f} | {self.p99:.1f} |"


TABLE_HEAD = "| ms | n | min | median | p95 | p99 |\n| --- | ---: | ---: | ---: | ---: | ---: |"


def machine() -> str:
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        "unknown processor",
    )
    return f"{model}, {os.cpu_count()} cores, load {' '.join(f'{load:.2f}' for load in os.getloadavg())} at the start"


def revision() -> str:
    described = subprocess.run(
        ["git", "-C", str(REPOSITORY), "describe", "--always", "--dirty"], capture_output=True, text=True, timeout=10
    )
    return described.stdout.strip() or "unknown revision"


def report(results: list[Measured], floor: list[float], at_start: str) -> str:
    answered = [result for result in results if result.total_ms is not None]
    lines = [
        f"## {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {revision()}",
        "",
        f"{at_start}. {len(results)} utterances: {len({r.command for r in results})} commands, "
        f"{len({r.voice for r in results})} voices, in real time, end never marked.",
        "",
    ]
    if answered:
        total = Summary.of([result.total_ms for result in answered])
        lines += [TABLE_HEAD, total.row("**end of speech → first audible sample**")]
        stages = sorted({name for result in answered for name in result.stages_ms})
        for stage in stages:
            lines.append(
                Summary.of([r.stages_ms[stage] for r in answered if stage in r.stages_ms]).row(f"stage {stage}")
            )
        for hop in sorted({name for result in answered for name in result.hops_ms}):
            lines.append(Summary.of([r.hops_ms[hop] for r in answered if hop in r.hops_ms]).row(f"span {hop}"))
        lines.append(Summary.of([r.lead_in_ms for r in answered]).row("near-silence before the first audible sample"))
        lines.append(Summary.of(floor).row("bus round trip of the same client (floor)"))
        ratio = total.median / statistics.median(floor)
        lines += ["", f"Median over the median bus round trip: {ratio:.0f}.", "", "By voice:", "", TABLE_HEAD]
        for voice in dict.fromkeys(result.voice for result in answered):
            lines.append(Summary.of([r.total_ms for r in answered if r.voice == voice]).row(voice))
    spoke = len(results)
    cut = sum(result.cut_off for result in results)
    lost = sum(result.lost_last_word for result in results)
    lines += [
        "",
        f"Answered {len(answered)} of {spoke}; "
        f"transcript exact {sum(r.exact for r in results)} of {spoke}; "
        f"cut off before the end of speech {cut} of {spoke} ({100 * cut / spoke:.1f} %); "
        f"last word not in the transcript, cut off or misheard, {lost} of {spoke} ({100 * lost / spoke:.1f} %).",
    ]
    odd = [r for r in results if r.cut_off or r.lost_last_word or r.outcome != "answered"]
    if odd:
        lines += ["", "Not as said:", ""]
        lines += [f'- {r.voice}: "{r.command}" → "{r.heard}" ({r.outcome})' for r in odd]
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Measures end of speech to first audible sample on a Loqa of its own, started for the run.",
        epilog="Example: bench/voice_bench.py --voices flite-slt,piper --record",
    )
    parser.add_argument("--voices", default=",".join(VOICES), help="some of %(default)s")
    parser.add_argument("--commands", type=int, default=len(COMMANDS), help="only the first N of %(default)s commands")
    parser.add_argument("--record", action="store_true", help="append the report to bench/RESULTS.md")
    parser.add_argument("--json", type=Path, help="write each measurement to this file")
    parser.add_argument("--keep-log", type=Path, help="write the instance's log to this file")
    options = parser.parse_args()
    chosen = options.voices.split(",")
    if unknown := set(chosen) - set(VOICES):
        parser.error(f"no such voice: {', '.join(unknown)}")
    for voice in chosen:
        if voice != OWN_VOICE and (program := voices.missing_program(voice)):
            parser.error(f"{program} is not installed: run scripts/setup.sh test")

    at_start = machine()
    results: list[Measured] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        instance = Instance(folder / "instance")
        try:
            bus = instance.start().bus
            floor = round_trips_ms(bus)
            for voice in chosen:
                for command in COMMANDS[: options.commands]:
                    clip = (
                        client.synthesise(bus, command)
                        if voice == OWN_VOICE
                        else pcm.read_wav(voices.speak(voice, command, folder))
                    )
                    if command == "set a kitchen timer for twelve minutes":
                        cancel_timers(bus)  # so that the questions after it are about one timer
                    result = measure(bus, voice, command, clip)
                    results.append(result)
                    shown = f"{result.total_ms:7.1f} ms" if result.total_ms is not None else "  no answer"
                    print(f"{shown}  {voice:10} {command!r} → {result.heard!r}", flush=True)
                cancel_timers(bus)
            floor += round_trips_ms(bus)
            add_hops(bus, results)
        finally:
            instance.destroy()
            if options.keep_log:
                options.keep_log.write_text(instance.log())

    text = report(results, floor, at_start)
    print("\n" + text)
    if options.json:
        options.json.write_text(json.dumps([vars(result) for result in results], indent=1) + "\n")
    if options.record:
        with RESULTS.open("a") as file:
            file.write("\n" + text)
        print(f"recorded in {RESULTS.relative_to(REPOSITORY)}")
    return 0 if all(result.total_ms is not None for result in results) else 1


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
    sys.exit(130)
