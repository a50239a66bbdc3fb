"""A room with a speaker and a microphone, in real time: the microphone hears what the speaker plays, and perhaps a person over it."""

import array
import random
import time
from dataclasses import dataclass, field

import client
import pcm
from bus import Bus, Message

RATE_HZ = 22_050  # of Loqa's voice; the microphone has the same
FRAME = RATE_HZ * pcm.FRAME_MS // 1000
OPEN_FRAMES = 25  # so long the microphone was open before Loqa is asked


@dataclass(frozen=True)
class Room:
    """The way from the speaker to the microphone: at once, and twelve reflections that fade by 60 dB in 0.3 s."""

    echo_db: float | None = -10  # against what is played, the reflections included; None: nothing comes back
    delay_ms: int = 60  # of the sound devices and the air
    reflections: int = 12

    def paths(self) -> list[tuple[int, float]]:
        """How many samples later it comes, and how loud."""
        if self.echo_db is None:
            return []
        chance = random.Random(self.delay_ms)
        first = self.delay_ms * RATE_HZ // 1000
        found = [(first, 1.0)]
        for _ in range(self.reflections):
            later_s = chance.uniform(0.003, 0.2)
            found.append((first + int(later_s * RATE_HZ), chance.gauss(0, 0.5) * 10 ** (-3 * later_s / 0.3)))
        gain = 10 ** (self.echo_db / 20) / sum(gain**2 for _, gain in found) ** 0.5
        return [(later, own * gain) for later, own in found]


@dataclass
class Answer:
    """One generation, as its speaker has it."""

    number: int
    samples: array.array = field(default_factory=lambda: array.array("h"))
    played: int = 0  # of them
    whole: bool = False  # all of it has come
    over: bool = False  # played to its end, or called off
    stopped_at: float | None = None  # when the last sample of it had sounded


class Speaker:
    """Plays what it is sent in real time, one thing after the other, and says so on the bus."""

    def __init__(self, bus: Bus, session: str) -> None:
        self._bus, self._session = bus, session
        self._sent = bus.subscribe(f"tts.*.{session}")  # both in one, in the order in which they were sent
        self._flushed: list[range] = []
        self.answers: dict[int, Answer] = {}
        self.flushed_at: float | None = None  # when it was told so first
        self.late = 0  # frames that came when they had been called off

    def close(self) -> None:
        self._sent.close()

    def block(self, now: float) -> array.array:
        """What sounds from now on, 20 ms of it at most."""
        for message in self._sent.drain():
            if message.subject.startswith("tts.flush."):
                self._flush(message)
            elif message.subject.startswith("tts.pcm."):
                self._take(message)
        for answer in self.answers.values():
            if answer.over:
                continue
            block = answer.samples[answer.played : answer.played + FRAME]
            if block and answer.played == 0:
                self._bus.publish("playback.started", {"session_id": self._session, "generation": answer.number})
            if block:
                answer.stopped_at = now + len(block) / RATE_HZ
            answer.played += len(block)
            if answer.whole and answer.played == len(answer.samples):
                self._end(answer, completed=True)
            if block:
                return block
        return array.array("h")

    def _take(self, frame: Message) -> None:
        number = int(frame.headers["Loqa-Generation"])
        if any(number in each for each in self._flushed):
            self.late += 1
            return
        answer = self.answers.setdefault(number, Answer(number))
        answer.samples.frombytes(frame.data)
        answer.whole = frame.headers.get("Loqa-Final") == "1"

    def _flush(self, message: Message) -> None:
        told = message.json()
        called_off = range(told["from"], told["generation"] + 1)
        self._flushed.append(called_off)
        self.flushed_at = self.flushed_at or message.arrived
        for answer in self.answers.values():
            if answer.number in called_off and not answer.over:
                self._end(answer, completed=False)

    def _end(self, answer: Answer, completed: bool) -> None:
        answer.over = True
        stopped = {
            "session_id": self._session,
            "generation": answer.number,
            "played_ms": answer.played * 1000 // RATE_HZ,
            "completed": completed,
        }
        self._bus.publish("playback.stopped", stopped)


@dataclass
class Happened:
    played: int = 0  # samples of the answer
    length: int = 0  # of it, as far as it was sent
    began: int = 0  # how often speech began
    ends: list[dict] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)  # as transcripts
    flushed_at: float | None = None
    spoke_at: float | None = None  # when the first sample of the person came
    spoken_at: float | None = None  # the last one
    played_before: int = 0  # samples of the answer, until the person spoke
    cancel_to_silence_s: float | None = None  # from the word to stop to the last sample that sounded
    late: int = 0  # frames that came after it was told that they are called off

    @property
    def words(self) -> list[str]:
        """What was heard, without noises."""
        return [text for text in self.heard if text]


def at_rate(clip: pcm.Clip, rate_hz: int, peak: int) -> array.array:
    """Its samples at another rate, as loud as asked for; good enough for a recogniser."""
    values = clip.samples()
    loudest = max(abs(value) for value in values)
    step = clip.rate_hz / rate_hz
    return array.array(
        "h", (int(values[int(i * step)] * peak / loudest) for i in range(int(len(values) / step)))
    )  # fmt: skip


def live(
    bus: Bus,
    question: str,
    seconds: float,
    person: pcm.Clip | None = None,
    at_s: float = 1.5,
    room: Room | None = None,
    settle_s: float | None = None,
) -> Happened:
    """Asks in writing, plays the answer for so long, and lets the person speak `at_s` after its first sample.

    With `settle_s` it is over when nobody has spoken for so long, after the answer began.
    """
    session = client.new_session()
    speaker = Speaker(bus, session)
    begins, ended, finals, cancels = (
        bus.subscribe(f) for f in ("stt.speech.started", "session.ended", "stt.text.final", "tts.cancel")
    )
    happened = Happened()
    paths = (room or Room()).paths()
    sounded = array.array("h", bytes(2 * (max((later for later, _ in paths), default=0) + FRAME)))
    voice = at_rate(person, RATE_HZ, 12_000) if person else array.array("h")
    started: float | None = None
    heard_at = 0.0
    clip = pcm.Clip(RATE_HZ, b"")
    begin = time.monotonic()
    said = 0
    try:
        for sequence in range(10_000):
            # A sound device in real time: the wait is the frame's own length.
            time.sleep(max(0.0, begin + sequence * pcm.FRAME_MS / 1000 - time.monotonic()))
            now = time.monotonic()
            if sequence == OPEN_FRAMES:
                written = {"session_id": session, "text": question, "partial": False}
                bus.publish("stt.text.final", written, {"Loqa-Audio": "pcm"})
            block = speaker.block(now)
            if block:
                started = started or now
                heard_at = now
            block.extend([0] * (FRAME - len(block)))
            sounded.extend(block)
            del sounded[:FRAME]
            end = len(sounded)
            mixed = [0.0] * FRAME
            for later, gain in paths:
                mixed = [a + gain * b for a, b in zip(mixed, sounded[end - FRAME - later : end - later], strict=True)]
            if started and person and now - started >= at_s and said < len(voice):
                if happened.spoke_at is None:
                    happened.spoke_at = now
                    happened.played_before = sum(answer.played for answer in speaker.answers.values())
                happened.spoken_at = heard_at = now
                for i, value in enumerate(voice[said : said + FRAME]):
                    mixed[i] += value
                said += FRAME
            bus.publish(
                f"audio.pcm.{session}",
                array.array("h", (max(-32768, min(32767, int(value))) for value in mixed)).tobytes(),
                client.audio_headers(session, sequence, clip),
            )
            if started and now - started > seconds:
                break
            if settle_s is not None and started and now - heard_at > settle_s and (not person or said >= len(voice)):
                break
        first = next(iter(speaker.answers.values()), Answer(0))
        happened.played, happened.length = first.played, len(first.samples)
        happened.flushed_at, happened.late = speaker.flushed_at, speaker.late
        called_off = [message.arrived for message in cancels.drain() if message.session_id == session]
        if called_off and first.over and speaker.flushed_at:
            happened.cancel_to_silence_s = max(0.0, first.stopped_at - called_off[0])
        happened.began = sum(message.session_id == session for message in begins.drain())
        happened.ends = [message.json() for message in ended.drain() if message.session_id == session]
        spoken = [message.json() for message in finals.drain() if message.session_id == session]
        happened.heard = [each["text"] for each in spoken if "reason" in each]  # the question was written
        return happened
    finally:
        bus.publish("tts.cancel", {"session_id": session})
        speaker.close()
        for inbox in (begins, ended, finals, cancels):
            inbox.close()
