#!/usr/bin/env python3
"""End of speech to first audible sample, on real models, in real time.

`--set commands` (the default) speaks single commands, `--set pauses` commands with a pause inside, which have to be kept
whole, `--set satellites` one more satellite at a time until they slow each other down, `--set noise` no speech at all,
which has to yield no word, `--set chatter` sentences that are no commands and must not become any, `--set barge-in`
"stop" over an answer that the microphone hears 10 dB quieter, and such answers alone. `--noise fan@20` puts
a background behind them, 20 dB below the speech. `--voices classic` speaks in older synthesisers instead of neural ones;
the neural ones need Kokoro (`loqa models pull kokoro-v1.0`). `--fixed 500` speaks each command to a second Loqa too, which waits for
500 ms of silence whatever was said. A run speaks a sample that lasts under four minutes, the voices taking turns;
`--all` speaks every command in every voice.

Commands are spoken by synthesisers of different kinds and streamed to a running Loqa in frames of 20 ms, each sent when
a microphone would have it. The client never marks the end of an utterance: silence goes on, and Loqa has to find out.
All times are of this one process's monotonic clock:

  end of speech   when the frame with the clip's last speech sample was sent. That sample is found beforehand, in the
                  clean clip: the last one that is louder than the clip's peak less 45 dB.
  first audible   when the first message of the answer arrived in which a sample is louder than -45 dBFS. A speaker
                  would play it then.

Between them lies everything a person waits for, the endpointing included. The parts are Loqa's own figures: the stages
of session.ended (each counted from the one before it; stt and first_chunk from the end of speech as Loqa heard it), the
moments when the client saw the transcript and the first samples, and the spans of the turns' traces. A round trip to the bus server and back, measured by the same client in the
same run, is the floor that shows how fast the machine was.
"""

import argparse
import contextlib
import itertools
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY / "tests" / "support"))
sys.path.insert(0, str(REPOSITORY / "bench"))

import client  # noqa: E402
import natural_voices  # noqa: E402
import pcm  # noqa: E402
import room  # noqa: E402
import spoken  # noqa: E402
import utterances  # noqa: E402
import voices  # noqa: E402
from bus import Bus, Message  # noqa: E402
from local_loqa import BINARIES, Instance, clean_environment  # noqa: E402

RESULTS = REPOSITORY / "bench" / "RESULTS.md"
OWN_VOICE = "piper"
GROUPS = {
    "neural": (*natural_voices.ALL, OWN_VOICE),  # as people speak, more or less
    "classic": (*voices.ALL, OWN_VOICE),  # diphones, formants, statistics: far from people, and hard to understand
}
VOICES = tuple(dict.fromkeys(itertools.chain(*GROUPS.values())))
FLOOR_ROUND_TRIPS = 500
ANSWER_WITHIN_S = 8.0
COMMANDS_OF_ALL_SATELLITES = 48  # the same whatever their number, so that the times compare


@dataclass
class Measured:
    voice: str
    command: str
    heard: str = ""
    reply: str = ""
    outcome: str = "no answer"
    total_ms: float | None = None  # end of speech to first audible
    lead_in_ms: float | None = None  # near-silence before the first audible sample of the answer
    final_ms: float | None = None  # end of speech to the transcript
    samples_ms: float | None = None  # end of speech to the first samples, audible or not
    speech_s: float = 0.0
    finals: int = 0
    session_id: str = ""
    stages_ms: dict[str, float] = field(default_factory=dict)  # from session.ended
    hops_ms: dict[str, float] = field(default_factory=dict)  # spans of the turn's trace
    same_meaning: bool = False  # what was heard means what was said, to this home
    cut_off: bool = False  # the final transcript came before the last speech sample had been sent

    @property
    def lost_last_word(self) -> bool:
        """The last word did not make it into the transcript: cut off or misheard."""
        last = spoken.words(self.command)[-1]
        return last not in spoken.words(self.heard)[-3:]

    @property
    def as_asked(self) -> bool:
        """It was understood, and done or answered, perhaps after a question."""
        return self.outcome == "answered" and self.same_meaning

    @property
    def asked_back(self) -> bool:
        """It waits for a yes."""
        return self.reply.startswith(("Did you mean", "Shall I really"))

    @property
    def exact(self) -> bool:
        return spoken.words(self.command) == spoken.words(self.heard)


class Listener:
    """What is heard of one answer; tells Loqa when the first of it is audible, as a speaker does."""

    def __init__(self, bus: Bus, satellite: client.Satellite) -> None:
        self._bus = bus
        self._satellite = satellite
        self.audible_at: float | None = None
        self.first_at: float | None = None
        self.lead_in_ms = 0.0

    def listen_until(self, deadline: float) -> None:
        while (left := deadline - time.monotonic()) > 0:
            with contextlib.suppress(TimeoutError):
                self._take(self._satellite.sound.get(left))

    def _take(self, message: Message) -> None:
        if self.audible_at is not None:
            return
        self.first_at = self.first_at or message.arrived
        rate = int(message.headers["Loqa-Rate"])
        quiet = pcm.first_audible(message.data)
        self.lead_in_ms += (len(message.data) // 2 if quiet is None else quiet) * 1000 / rate
        if quiet is not None:
            self.audible_at = message.arrived
            name = self._satellite.session_id
            self._bus.publish("playback.started", {"session_id": name, "target": name})


@dataclass
class Spoken:
    """One utterance, with what is behind it."""

    voice: str
    command: str
    clip: pcm.Clip  # from the first frame that is sent to long after the end
    end_of_speech: int  # in samples
    speech_s: float


def utter(voice: str, command: str, speech: pcm.Clip, noise: utterances.Noise | None) -> Spoken:
    speech = utterances.trimmed(speech)
    lead = pcm.silence(utterances.LEAD_S, speech.rate_hz)
    clip = lead + speech + pcm.silence(ANSWER_WITHIN_S, speech.rate_hz)
    return Spoken(
        voice,
        command,
        noise.under(clip, speech) if noise else clip,
        len(lead.samples()) + len(speech.samples()) - 1,
        speech.seconds,
    )


def measure(bus: Bus, what: Spoken) -> Measured:
    """One utterance in a session of its own, from its first frame to the end of its turn."""
    clip = what.clip
    result = Measured(what.voice, what.command, speech_s=what.speech_s)
    end_frame = what.end_of_speech // (clip.frame_bytes() // 2)
    finals = bus.subscribe("stt.text.final")
    with client.Satellite(bus) as satellite:
        name = result.session_id = satellite.session_id
        listener = Listener(bus, satellite)
        end_of_speech = 0.0
        ended: dict | None = None
        start = time.monotonic()
        for i, frame in enumerate(clip.frames()):
            listener.listen_until(start + (i + 1) * pcm.FRAME_MS / 1000)
            if i == end_frame:
                end_of_speech = time.monotonic()
            bus.publish(f"audio.pcm.{name}", frame, client.audio_headers(name, i, clip))
            ended = next((m.json() for m in satellite.ended.drain() if m.session_id == name), None) or ended
            if ended and i >= end_frame:
                result.heard, result.outcome, result.stages_ms = ended["heard"], ended["outcome"], ended["stages_ms"]
                result.reply = ended.get("reply", "")
                break
        finals.close()
        own = [m for m in finals.drain() if m.session_id == name]
        result.finals = len(own)
        result.cut_off = any(m.arrived < end_of_speech for m in own)
        if own and not result.cut_off:
            result.final_ms = (own[0].arrived - end_of_speech) * 1000
        if listener.audible_at is not None and not result.cut_off:
            result.total_ms = (listener.audible_at - end_of_speech) * 1000
            result.samples_ms = (listener.first_at - end_of_speech) * 1000
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


def meanings(texts: list[str]) -> list[tuple | None]:
    """What each means to the home that ships; None if it means nothing."""
    done = subprocess.run(
        [str(BINARIES / "loqa"), "intents", "match", "--json", "--home", str(REPOSITORY / "share/homes/house.yaml")],
        input="\n".join(text or "-" for text in texts) + "\n",
        env=clean_environment(LOQA_SHARE_DIR=str(REPOSITORY / "share")),
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(texts), done.stderr
    return [(each["intent"], json.dumps(each["slots"], sort_keys=True)) if each["intent"] else None for each in answers]


def add_meanings(results: list[Measured]) -> None:
    said, heard = (meanings([getattr(result, what) for result in results]) for what in ("command", "heard"))
    for result, meant, got in zip(results, said, heard, strict=True):
        result.same_meaning = meant == got if meant else result.exact


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


def free_ports(count: int) -> int:
    """The first of so many that follow each other and are free now."""
    for first in range(21_000, 60_000, count):
        with contextlib.ExitStack() as stack:
            try:
                for port in range(first, first + count):
                    stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
            except OSError:
                continue
            return first
    raise RuntimeError("no free ports")


class Watched:
    """What Loqa itself counts, and what the system counts of its processes."""

    PROGRAMS = ("loqad", "loqa-stt", "loqa-tts", "nats-server")

    def __init__(self, instance: Instance, port: int) -> None:
        self._instance = instance
        self._urls = [f"http://127.0.0.1:{port + offset}/metrics" for offset in range(3)]
        self._cpu = self._cpu_s()
        self._counters = self.counters()

    def counters(self) -> dict[str, float]:
        found: dict[str, float] = {}
        for url in self._urls:
            with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5) as answer:
                for line in answer.read().decode().splitlines():
                    name, _, value = line.rpartition(" ")
                    if name and not line.startswith("#"):
                        found[name] = found.get(name, 0.0) + float(value)
        return found

    def since(self, name: str) -> float:
        """By how much a counter, all its labels together, has grown."""
        now = self.counters()
        return sum(
            value - self._counters.get(key, 0.0) for key, value in now.items() if key.partition("{")[0] == name
        )

    def labelled(self, name: str) -> dict[str, float]:
        now = self.counters()
        return {
            key.partition("{")[2].rstrip("}"): value - self._counters.get(key, 0.0)
            for key, value in now.items()
            if key.partition("{")[0] == name
        }

    def _cpu_s(self) -> dict[str, float]:
        ticks = os.sysconf("SC_CLK_TCK")
        found = {}
        for program in self.PROGRAMS:
            fields = Path(f"/proc/{self._instance.pid(program)}/stat").read_text().rpartition(")")[2].split()
            found[program] = (int(fields[11]) + int(fields[12])) / ticks
        return found

    def cpu_s(self) -> dict[str, float]:
        return {program: value - self._cpu[program] for program, value in self._cpu_s().items()}

    def memory_mb(self) -> dict[str, float]:
        found = {}
        for program in self.PROGRAMS:
            status = Path(f"/proc/{self._instance.pid(program)}/status").read_text()
            found[program] = int(status.split("VmRSS:")[1].split()[0]) / 1024
        return found


def head(at_start: str, about: str) -> list[str]:
    return [f"## {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {revision()}: {about}", "", f"{at_start}.", ""]


def record(text: str) -> None:
    with RESULTS.open("a") as file:
        file.write("\n" + text)
    print(f"recorded in {RESULTS.relative_to(REPOSITORY)}")


def report(results: list[Measured], floor: list[float], at_start: str, watched: Watched, about: str) -> str:
    answered = [result for result in results if result.total_ms is not None]
    lines = head(at_start, about)
    lines += [
        f"{len(results)} utterances: {len({r.command for r in results})} commands, "
        f"{len({r.voice for r in results})} voices, in real time, end never marked.",
        "",
    ]
    if answered:
        total = Summary.of([result.total_ms for result in answered])
        lines += [TABLE_HEAD, total.row("**end of speech → first audible sample**")]
        lines.append(Summary.of([r.final_ms for r in answered]).row("client: end of speech → transcript"))
        lines.append(Summary.of([r.samples_ms - r.final_ms for r in answered]).row("client: transcript → samples"))
        for stage in sorted({name for result in answered for name in result.stages_ms}):
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
        f"Answered {len(answered)} of {spoke}; understood as said {sum(r.same_meaning for r in results)} "
        f"({100 * sum(r.same_meaning for r in results) / spoke:.1f} %); "
        f"acted on or answered as asked {sum(r.as_asked for r in results)}, "
        f"{sum(r.as_asked and r.asked_back for r in results)} of them after a question; "
        f"transcript exact {sum(r.exact for r in results)}; "
        f"cut off before the end of speech {cut} ({100 * cut / spoke:.1f} %); "
        f"last word not in the transcript, cut off or misheard, {lost} ({100 * lost / spoke:.1f} %).",
        "",
        *running_costs(results, watched),
    ]
    odd = [r for r in results if r.cut_off or not r.as_asked]
    if odd:
        lines += ["", "Not as said:", ""]
        lines += [f'- {r.voice}: "{r.command}" → "{r.heard}" ({r.outcome}{", cut off" if r.cut_off else ""})' for r in odd]
    return "\n".join(lines) + "\n"


def running_costs(results: list[Measured], watched: Watched) -> list[str]:
    speech_s = sum(r.speech_s for r in results)
    guesses = watched.labelled("loqa_session_speculations_total")
    spoken_replies = sum(guesses.values()) or 1
    hits = next((value for key, value in guesses.items() if "hit" in key), 0)
    ends = {key.partition('"')[2].rstrip('"'): value for key, value in watched.labelled("loqa_stt_endpoints_total").items()}
    cpu, memory = watched.cpu_s(), watched.memory_mb()
    return [
        f"Replies made ready ahead: {hits:.0f} of {spoken_replies:.0f} "
        f"({100 * hits / spoken_replies:.0f} %), {watched.since('loqa_session_guesses_thrown_away_total'):.0f} thrown away; "
        f"readings that became no transcript: {watched.since('loqa_stt_unused_ms_total') / max(speech_s, 0.1):.0f} ms "
        f"a spoken second; ends by phrase: {', '.join(f'{name} {value:.0f}' for name, value in sorted(ends.items()))}.",
        "",
        "Processor time a spoken second: "
        + ", ".join(f"{program} {1000 * value / max(speech_s, 0.1):.0f} ms" for program, value in cpu.items())
        + f". Memory: {', '.join(f'{program} {value:.0f} MB' for program, value in memory.items())}, "
        f"together {sum(memory.values()):.0f} MB.",
    ]


class Bench:
    """A Loqa of its own, and voices to speak to it."""

    def __init__(self, folder: Path, chosen: list[str], settings: dict[str, str]) -> None:
        self.folder, self.chosen = folder, chosen
        port = free_ports(3)
        # What an earlier run has said would be in the usual cache, and its answers come sooner than somebody's first do.
        own = {
            "LOQA_TELEMETRY_PROMETHEUS_BIND": f"127.0.0.1:{port}",
            "LOQA_TTS_CACHE_PATH": str(folder / "speech"),
        }
        self.instance = Instance(folder / "instance", own | settings)
        self.bus = self.instance.start().bus
        self.watched = Watched(self.instance, port)

    def speech(self, voice: str, text: str) -> pcm.Clip:
        if voice == OWN_VOICE:
            return client.synthesise(self.bus, text)
        if voice in natural_voices.ALL:
            natural_voices.prepare([(voice, text)])
            return pcm.read_wav(natural_voices.path_of(voice, text))
        return pcm.read_wav(voices.speak(voice, text, self.folder))

    def commands(self, every: bool, count: int, shift: int, noise: utterances.Noise | None) -> list[Spoken]:
        """Every command in every voice, or each once, the voices taking turns."""
        pairs = (
            [(voice, command) for voice in self.chosen for command in utterances.COMMANDS[:count]]
            if every
            else [
                (self.chosen[(i + shift) % len(self.chosen)], command)
                for i, command in enumerate(utterances.COMMANDS[:count])
            ]
        )
        natural_voices.prepare(pairs)
        return [utter(voice, command, self.speech(voice, command), noise) for voice, command in pairs]

    def pauses(self, count: int, shift: int, noise: utterances.Noise | None) -> list[Spoken]:
        made = []
        spoken_by = [self.chosen[(i + shift) % len(self.chosen)] for i in range(count)]
        natural_voices.prepare(
            [(voice, part) for voice, parts in zip(spoken_by, utterances.PAUSED, strict=False) for part in parts]
        )
        for i, (before, after) in enumerate(utterances.PAUSED[:count]):
            voice = spoken_by[i]
            pause = utterances.PAUSES_S[i % len(utterances.PAUSES_S)]
            first, second = (utterances.trimmed(self.speech(voice, text)) for text in (before, after))
            whole = first + pcm.silence(pause, first.rate_hz) + second
            made.append(utter(f"{voice}, {pause * 1000:.0f} ms", f"{before} {after}", whole, noise))
        return made

    def measure_each(self, all_of_them: list[Spoken]) -> list[Measured]:
        results = []
        for what in all_of_them:
            result = measure(self.bus, what)
            results.append(result)
            shown = f"{result.total_ms:7.1f} ms" if result.total_ms is not None else "  no answer"
            cut = "  CUT OFF" if result.cut_off else ""
            print(f"{shown}  {what.voice:18} {what.command!r} → {result.heard!r}{cut}", flush=True)
        return results

    def at_once(self, satellites: int) -> list[Measured]:
        """So many satellites, each speaking some of the same commands one after the other, not in step."""
        made = self.commands(False, COMMANDS_OF_ALL_SATELLITES, 0, None)
        rounds = max(1, len(made) // satellites)
        results: list[Measured] = []

        def speak(number: int) -> None:
            time.sleep(number * 0.37 % 1.5)  # people do not begin together
            for round_ in range(rounds):
                results.append(measure(self.bus, made[(number * rounds + round_) % len(made)]))

        threads = [threading.Thread(target=speak, args=(number,)) for number in range(satellites)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return results


def run_satellites(bench: Bench, at_start: str, counts: list[int]) -> str:
    lines = head(at_start, "satellites at once")
    lines += [TABLE_HEAD.replace("| ms |", "| satellites, ms |")]
    notes = []
    bench.at_once(1)  # the first answers have to be synthesised, and those of one satellite would be the first
    for count in counts:
        results = bench.at_once(count)
        times = [r.total_ms for r in results if r.total_ms is not None]
        if times:
            lines.append(Summary.of(times).row(str(count)))
        notes.append(f"{count}: {len(times)} of {len(results)} answered, {sum(r.cut_off for r in results)} cut off")
        print(lines[-1], notes[-1], flush=True)
    return "\n".join([*lines, "", "; ".join(notes) + "."]) + "\n"


def run_beside_fixed(bench: Bench, at_start: str, fixed: Bench, wait_ms: int, count: int, shift: int) -> str:
    """Each command twice, once to a Loqa that adapts its waits and once to one that does not, taking turns."""
    made = bench.commands(False, count, shift, None)
    found: dict[str, list[Measured]] = {"by what was said": [], f"always {wait_ms} ms": []}
    for i, what in enumerate(made):
        turns = list(zip((bench, fixed), found.values(), strict=True))
        for each, results in turns if i % 2 == 0 else reversed(turns):
            results += each.measure_each([what])
    lines = head(at_start, f"the waits chosen by what was said, beside {wait_ms} ms for all")
    lines += [
        f"{len(made)} commands, {len(bench.chosen)} voices; the same recordings to both, one after the other, taking turns to be first.",
        "",
        TABLE_HEAD.replace("| ms |", "| wait, ms |").replace("p99 |", "p99 | understood | cut off |", 1) + " ---: | ---: |",
    ]
    for name, results in found.items():
        add_meanings(results)
        times = [r.total_ms for r in results if r.total_ms is not None]
        understood, cut = sum(r.same_meaning for r in results), sum(r.cut_off for r in results)
        lines.append(f"{Summary.of(times).row(name)} {understood} | {cut} |")
    return "\n".join(lines) + "\n"


def run_noise(bench: Bench, at_start: str, minutes: float) -> str:
    """Sound in which nobody speaks to Loqa, each kind in a session of its own, faster than real time."""
    lines = head(at_start, f"no speech, {minutes:.0f} minutes of each kind")
    words = bench.bus.subscribe("stt.text.final")
    kinds = ("silence", "fan", "music", "babble")  # what somebody says far off would be words
    for kind in kinds:
        sound = pcm.silence(minutes * 60)
        if kind != "silence":
            sound = utterances.background(kind, sound.rate_hz, minutes * 60, bench.folder)
        name = f"noise-{kind}"
        total = len(sound.data) // sound.frame_bytes()
        for i, frame in enumerate(itertools.islice(sound.frames(), total)):
            bench.bus.publish(f"audio.pcm.{name}", frame, client.audio_headers(name, i, sound, final=i + 1 == total))
            if i % 250 == 249:
                time.sleep(0.1)  # 5 s of sound in the time it takes to hear them
        found: list[str] = []
        with contextlib.suppress(TimeoutError):
            while True:
                found.append(words.of_session(name, 20).json()["text"])
        said = [text for text in found if text]
        lines.append(f"- {kind}: {len(found)} transcripts, {len(said)} with words{': ' if said else ''}{'; '.join(said)}")
        print(lines[-1], flush=True)
    return "\n".join(lines) + "\n"


def run_chatter(bench: Bench, at_start: str) -> str:
    """Sentences that are no commands, in every voice: none may be taken for one, however often it is listened to."""
    lines = head(at_start, "sentences that are no commands")
    finals = bench.bus.subscribe("stt.text.final")
    changed, count = [], 0
    natural_voices.prepare(list(itertools.product(bench.chosen, utterances.CHATTER_LINES)))
    for voice, text in itertools.product(bench.chosen, utterances.CHATTER_LINES):
        name = client.new_session()
        client.send_at_once(bench.bus, name, bench.speech(voice, text))
        transcript = finals.of_session(name, 20).json()
        count += 1
        if "heard" in transcript:
            changed.append(f'- {voice}: "{text}" → "{transcript["heard"]}" → "{transcript["text"]}"')
            print(changed[-1], flush=True)
    lines += [f"{count} spoken by {len(bench.chosen)} voices, {len(changed)} taken for a command.", *changed]
    return "\n".join(lines) + "\n"


BARGE_IN_DELAYS_MS = (40, 80, 120, 200)  # of the echo
BARGE_IN_AT_S = (1.5, 2.5, 3.5)  # into the answer
LONG_ANSWERS = ("what can you do", "what timers are running")


def run_barge_in(
    at_start: str, folder: Path, chosen: list[str], settings: dict[str, str], echo_db: float, everything: bool
) -> str:
    """Each voice says phrases over an answer whose echo is in the microphone; and answers are played to nobody."""
    phrases_each = {"stop": 3, "any": 3} if everything else {"stop": 2, "any": 1}
    lines = head(at_start, f"barge-in, an echo at {echo_db:.0f} dB")
    lines += [
        f"{len(chosen)} voices, delays {', '.join(map(str, BARGE_IN_DELAYS_MS))} ms in turns, begun "
        f"{', '.join(map(str, BARGE_IN_AT_S))} s into the answer in turns, with the reflections of a room.",
        "",
        "| policy | "
        + " | ".join(f'"{phrase}" stopped it' for phrase in utterances.STOPS)
        + " | stops that more words followed | answers alone that were stopped | that began an utterance |",
        "| --- |" + " ---: |" * (len(utterances.STOPS) + 3),
    ]
    missed: list[str] = []
    times: dict[str, list[float]] = {}
    late = 0
    natural_voices.prepare(list(itertools.product(chosen, utterances.STOPS)))
    for policy in ("stop", "any"):
        bench = Bench(folder / policy, chosen, settings | {"LOQA_SESSION_BARGE_IN": policy})
        try:
            for name, minutes in (("pasta", 12), ("tea", 4), ("laundry", 50)):
                client.say_in_writing(bench.bus, f"set a {name} timer for {minutes} minutes", client.new_session())
            said: dict[str, int] = dict.fromkeys(utterances.STOPS, 0)
            stopped, followed = dict(said), 0
            # Any words stop it where they begin.
            since = "begin" if policy == "any" else "end"
            to_word = times.setdefault(f"{policy}: {since} of the words → told to stop", [])
            to_silence = times.setdefault(f"{policy}: cancelled → last sample at the speaker", [])
            turns = itertools.product(range(phrases_each[policy]), enumerate(chosen))
            for count, (turn, (place, voice)) in enumerate(turns):
                phrase = utterances.STOPS[(place + turn) % len(utterances.STOPS)]
                person = utterances.trimmed(bench.speech(voice, phrase))
                where = room.Room(echo_db, BARGE_IN_DELAYS_MS[count % len(BARGE_IN_DELAYS_MS)])
                at_s = BARGE_IN_AT_S[count % len(BARGE_IN_AT_S)]
                question = LONG_ANSWERS[count // 2 % len(LONG_ANSWERS)]
                found = room.live(bench.bus, question, 20, person, at_s, where, settle_s=1)
                good = found.flushed_at is not None and found.flushed_at >= found.spoke_at
                said[phrase] += 1
                stopped[phrase] += good
                followed += good and (len(found.words) > 1 or found.began > 1)
                late += found.late
                if good:
                    spoke = found.spoke_at if since == "begin" else found.spoken_at
                    to_word.append((found.flushed_at - spoke) * 1000)
                    to_silence.append(found.cancel_to_silence_s * 1000)
                told = f"{policy}, {voice}, {where.delay_ms} ms, at {at_s} s: {phrase!r} → {found.heard}, {found.began} began"
                print("stopped  " if good else "went on  ", told, flush=True)
                if not good:
                    missed.append("- " + told)
            false_stops = false_starts = alone = 0
            delays = BARGE_IN_DELAYS_MS if everything else (80, 200) if policy == "stop" else (120,)
            for question, delay_ms in itertools.product(LONG_ANSWERS, delays):
                found = room.live(bench.bus, question, 20, None, room=room.Room(echo_db, delay_ms), settle_s=0.5)
                alone += 1
                false_stops += found.flushed_at is not None
                false_starts += found.began > 0
                print(f"alone, {delay_ms} ms: {found.began} began, {found.heard}", flush=True)
            lines.append(
                f"| {policy} | "
                + " | ".join(f"{stopped[phrase]} of {said[phrase]}" for phrase in utterances.STOPS)
                + f" | {followed} of {sum(stopped.values())} | {false_stops} of {alone} | {false_starts} of {alone} |"
            )
            if policy == "any":
                cpu = {}
                for where in (room.Room(echo_db), room.Room(None)):
                    before = bench.watched.cpu_s()["loqa-stt"]
                    found = room.live(bench.bus, LONG_ANSWERS[0], 20, None, room=where, settle_s=0)
                    took = bench.watched.cpu_s()["loqa-stt"] - before
                    cpu[where.echo_db] = took / (found.length / room.RATE_HZ) * 1000
        finally:
            bench.instance.destroy()
    lines += ["", TABLE_HEAD, *(Summary.of(each).row(name) for name, each in times.items() if each)]
    lines += [
        "",
        f"Frames that came behind the flush that calls them off: {late}. Processor time of loqa-stt for a second of answer: "
        f"{cpu[echo_db]:.0f} ms with the echo, {cpu[None]:.0f} ms without one.",
    ]
    return "\n".join([*lines, *(["", "Not stopped:", "", *missed] if missed else [])]) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Measures end of speech to first audible sample on a Loqa of its own, started for the run.",
        epilog="Example: bench/voice_bench.py --noise fan@10 --record",
    )
    sets = ("commands", "pauses", "satellites", "noise", "chatter", "barge-in")
    parser.add_argument("--set", default="commands", choices=sets)
    parser.add_argument("--noise", help="KIND@DB, kinds: " + ", ".join(utterances.NOISES))
    parser.add_argument(
        "--voices",
        default="neural" if natural_voices.installed() else "classic",
        help=f"{' or '.join(GROUPS)} (%(default)s), or some of {','.join(VOICES)}",
    )
    parser.add_argument("--commands", type=int, default=len(utterances.COMMANDS), help="only the first N of %(default)s")
    parser.add_argument("--shift", type=int, default=0, help="another voice for each command")
    parser.add_argument("--all", action="store_true", help="every command, or phrase, in every voice: half an hour")
    parser.add_argument(
        "--fixed", type=int, metavar="MS", help="beside it, in turns, a Loqa that waits so long whatever was said"
    )
    parser.add_argument("--satellites", default="1,2,4,8,12", help="how many at once (%(default)s)")
    parser.add_argument("--echo", type=float, default=-10, metavar="DB", help="of barge-in (%(default)s)")
    parser.add_argument("--minutes", type=float, default=15, help="of each kind of noise (%(default)s)")
    parser.add_argument(
        "--setting", action="append", default=[], metavar="LOQA_…=VALUE", help="an environment variable of Loqa's"
    )
    parser.add_argument("--record", action="store_true", help="append the report to bench/RESULTS.md")
    parser.add_argument("--json", type=Path, help="write each measurement to this file")
    parser.add_argument("--keep-log", type=Path, help="write the instance's log to this file")
    options = parser.parse_args()
    chosen = list(GROUPS.get(options.voices, options.voices.split(",")))
    if unknown := set(chosen) - set(VOICES):
        parser.error(f"no such voice: {', '.join(unknown)}")
    for voice in chosen:
        if voice in natural_voices.ALL and not natural_voices.installed():
            parser.error(f"{voice} needs Kokoro: loqa models pull {natural_voices.MODEL}, or --voices classic")
        if voice in voices.ALL and (program := voices.missing_program(voice)):
            parser.error(f"{program} is not installed: run scripts/setup.sh test")

    at_start = machine()
    results: list[Measured] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        noise = None
        about = options.set
        if options.noise:
            kind, _, snr_db = options.noise.partition("@")
            noise = utterances.Noise(kind, float(snr_db), folder)
            about += f", {kind} {float(snr_db):.0f} dB below the speech"
        settings = dict(each.split("=", 1) for each in options.setting)
        if settings:
            about += f", with {' '.join(options.setting)}"
        if options.voices in GROUPS:
            about += f", {options.voices} voices"
        bench = None if options.set == "barge-in" else Bench(folder, chosen, settings)
        try:
            if bench is None:
                text = run_barge_in(at_start, folder, chosen, settings, options.echo, options.all)
            elif options.fixed:
                waits = ("ENDPOINT_SILENCE", "ENDPOINT_COMPLETE", "ENDPOINT_GROWABLE", "ENDPOINT_OPEN", "ANSWER_SILENCE")
                fixed = Bench(folder / "fixed", chosen, settings | {f"LOQA_STT_{w}_MS": str(options.fixed) for w in waits})
                try:
                    text = run_beside_fixed(bench, at_start, fixed, options.fixed, options.commands, options.shift)
                finally:
                    fixed.instance.destroy()
            elif options.set == "satellites":
                text = run_satellites(bench, at_start, [int(count) for count in options.satellites.split(",")])
            elif options.set == "chatter":
                text = run_chatter(bench, at_start)
            elif options.set == "noise":
                text = run_noise(bench, at_start, options.minutes)
            else:
                made = (
                    bench.pauses(options.commands, options.shift, noise)
                    if options.set == "pauses"
                    else bench.commands(options.all, options.commands, options.shift, noise)
                )
                floor = round_trips_ms(bench.bus)
                results = bench.measure_each(made)
                cancel_timers(bench.bus)
                floor += round_trips_ms(bench.bus)
                add_hops(bench.bus, results)
                add_meanings(results)
                text = report(results, floor, at_start, bench.watched, about)
        finally:
            if bench is not None:
                bench.instance.destroy()
                if options.keep_log:
                    options.keep_log.write_text(bench.instance.log())

    print("\n" + text)
    if options.json:
        options.json.write_text(json.dumps([vars(result) for result in results], indent=1) + "\n")
    if options.record:
        record(text)
    return 0 if all(result.total_ms is not None for result in results) else 1


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
    sys.exit(130)
