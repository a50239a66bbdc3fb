"""What is said in the benchmark of the voice path, and the noise behind it."""

import array
import math
import random
from pathlib import Path

import pcm
import voices

# About the home that ships: most of these act on it.
COMMANDS = (
    "what time is it",
    "what is the date today",
    "what day is it",
    "set a timer for ten minutes",
    "set a timer for forty five seconds",
    "start a timer for one hour and thirty minutes",
    "set a pasta timer for twelve minutes",
    "how much time is left on my timer",
    "cancel my timer",
    "cancel all timers",
    "thank you",
    "never mind",
    "turn on the kitchen lights",
    "turn off the kitchen lights",
    "turn on the reading lamp",
    "turn off the reading lamp",
    "turn on the bedside lamp",
    "turn off the bedside lamp",
    "turn on the porch light",
    "turn off the porch light",
    "turn on the hallway light",
    "turn off the hallway light",
    "turn on the desk lamp",
    "turn off the desk lamp",
    "turn on the bathroom light",
    "turn off the bathroom light",
    "turn on the lights in the bedroom",
    "turn off the lights in the bedroom",
    "turn on the lights in the living room",
    "turn off the lights in the living room",
    "turn on the ceiling fan",
    "turn off the ceiling fan",
    "turn on the coffee machine",
    "turn off the coffee machine",
    "switch on the kettle",
    "switch off the kettle",
    "turn on the fountain",
    "turn off the fountain",
    "turn on the television",
    "turn off the television",
    "set the bedroom lights to fifty percent",
    "set the kitchen lights to twenty percent",
    "set the reading lamp to thirty percent",
    "set the desk lamp brightness to eighty percent",
    "set the living room temperature to twenty one degrees",
    "set the bedroom temperature to nineteen degrees",
    "what is the temperature in the kitchen",
    "what is the temperature in the living room",
    "what is the humidity in the bathroom",
    "is the kitchen window open",
    "is the front door locked",
    "is the porch light on",
    "open the living room blinds",
    "close the living room blinds",
    "open the bedroom curtains",
    "close the bedroom curtains",
    "lock the front door",
    "lock the back door",
    "pause the kitchen radio",
    "start the vacuum",
    "add milk to my shopping list",
    "turn on movie night",
    "where is alex",
    "turn up the volume on the television",
)

# Before and after the pause. Nobody is done before it.
PAUSED = (
    ("set a timer for", "ten minutes"),
    ("set a timer for", "forty five seconds"),
    ("set a timer", "for twenty minutes"),
    ("start a timer for", "one hour"),
    ("set a timer for one hour and", "thirty minutes"),
    ("set a timer for ten", "minutes"),
    ("turn on the", "kitchen lights"),
    ("turn off the", "reading lamp"),
    ("turn on", "the porch light"),
    ("turn off", "the ceiling fan"),
    ("switch on the", "kettle"),
    ("switch off the", "coffee machine"),
    ("turn on the lights in the", "bedroom"),
    ("turn off the lights in the", "living room"),
    ("set the bedroom lights to", "fifty percent"),
    ("set the kitchen lights", "to twenty percent"),
    ("set the reading lamp to", "thirty percent"),
    ("set the living room temperature to", "twenty one degrees"),
    ("set the bedroom temperature", "to nineteen degrees"),
    ("what is the temperature in", "the kitchen"),
    ("what is the temperature in the", "living room"),
    ("what is the humidity in the", "bathroom"),
    ("what is the", "date today"),
    ("what", "time is it"),
    ("is the front door", "locked"),
    ("is the kitchen window", "open"),
    ("open the", "living room blinds"),
    ("close the", "bedroom curtains"),
    ("lock the", "front door"),
    ("lock", "the back door"),
    ("how much time is left on", "my timer"),
    ("cancel", "all timers"),
    ("add milk to", "my shopping list"),
    ("turn up the volume on the", "television"),
)
PAUSES_S = (0.3, 0.4, 0.5, 0.6, 0.7)

# Nobody wants anything done by these, though they have the words of commands.
CHATTER_LINES = (Path(__file__).parent / "chatter.txt").read_text(encoding="utf-8").splitlines()

# What people say to have quiet.
STOPS = ("stop", "Loqa stop", "never mind")

NOISES = ("fan", "music", "voice", "babble")
NOISE_S = 12.0
LEAD_S = 0.4  # of noise or silence before the first word

CHATTER = (
    "and then she said that we should all go to the lake on sunday, if the weather holds, and bring the children, "
    "because last year nobody came, and the sandwiches had to be eaten by the dog, who was sick for two days"
)


def _scaled(values: list[float], rate_hz: int) -> pcm.Clip:
    """At an RMS level of -20 dBFS."""
    level = math.sqrt(sum(value * value for value in values) / len(values)) or 1.0
    gain = 32767 * 10 ** (-20 / 20) / level
    samples = (max(-32768, min(32767, round(value * gain))) for value in values)
    return pcm.Clip(rate_hz, array.array("h", samples).tobytes())


def _fan(rate_hz: int, seconds: float) -> list[float]:
    """Moving air: noise without its heights, and the hum of the motor."""
    chance = random.Random(7)
    slow, values = 0.0, []
    for i in range(int(seconds * rate_hz)):
        slow += 0.08 * (chance.gauss(0, 1) - slow)
        values.append(slow + 0.03 * math.sin(2 * math.pi * 118 * i / rate_hz))
    return values


def _music(rate_hz: int, seconds: float) -> list[float]:
    """Plucked chords over a bass, four a second."""
    chords = ((220, 277, 330), (196, 247, 294), (175, 220, 262), (165, 208, 247))
    beat = rate_hz // 4
    values = []
    for i in range(int(seconds * rate_hz)):
        at, into = i // beat, (i % beat) / rate_hz
        chord = chords[at // 4 % len(chords)]
        note = chord[at % 3] * (2 if at % 5 == 0 else 1)
        pluck = math.exp(-9 * into) * sum(math.sin(2 * math.pi * note * k * i / rate_hz) / k for k in (1, 2, 3, 4))
        bass = 0.5 * math.sin(2 * math.pi * chord[0] / 2 * i / rate_hz)
        values.append(pluck + bass)
    return values


def _voice(rate_hz: int, seconds: float, folder: Path) -> list[float]:
    """Somebody in the next room: dull, and with the room's echo."""
    clip = pcm.read_wav(voices.speak("flite-rms", CHATTER, folder))
    spoken = clip.samples()
    step = clip.rate_hz / rate_hz
    values = [float(spoken[int(i * step) % len(spoken)]) for i in range(int(seconds * rate_hz))]
    dull = 0.0
    for i, value in enumerate(values):
        dull += 0.25 * (value - dull)
        values[i] = dull
    delay = int(0.06 * rate_hz)
    return [value + (0.5 * values[i - delay] if i >= delay else 0.0) for i, value in enumerate(values)]


def _babble(rate_hz: int, seconds: float, folder: Path) -> list[float]:
    """A room full of people, none of whom can be followed."""
    speakers = []
    for name in voices.FLITE:
        clip = pcm.read_wav(voices.speak(name, CHATTER, folder))
        step = clip.rate_hz / rate_hz
        speakers += [(clip.samples(), step, shift) for shift in (0, len(clip.data) // 6, len(clip.data) // 3)]
    return [
        float(sum(spoken[int(i * step + shift) % len(spoken)] for spoken, step, shift in speakers))
        for i in range(int(seconds * rate_hz))
    ]


def background(kind: str, rate_hz: int, seconds: float, folder: Path) -> pcm.Clip:
    """Of one of NOISES, at an RMS level of -20 dBFS."""
    if kind in ("voice", "babble"):
        return _scaled((_voice if kind == "voice" else _babble)(rate_hz, seconds, folder), rate_hz)
    return _scaled((_fan if kind == "fan" else _music)(rate_hz, seconds), rate_hz)


class Noise:
    """A background that goes on before, under and after what is said."""

    def __init__(self, kind: str, snr_db: float, folder: Path) -> None:
        self.kind, self.snr_db = kind, snr_db
        self._folder = folder
        self._made: dict[int, array.array] = {}

    def _at(self, rate_hz: int) -> array.array:
        if rate_hz not in self._made:
            self._made[rate_hz] = background(self.kind, rate_hz, NOISE_S, self._folder).samples()
        return self._made[rate_hz]

    def under(self, clip: pcm.Clip, speech: pcm.Clip) -> pcm.Clip:
        """The whole clip with noise `snr_db` below the RMS level of `speech`."""
        values = speech.samples()
        level = math.sqrt(sum(value * value for value in values) / len(values))
        noise = self._at(clip.rate_hz)
        gain = level * 10 ** (-self.snr_db / 20) / (32767 * 10 ** (-20 / 20))
        mixed = (
            max(-32768, min(32767, value + round(noise[i % len(noise)] * gain)))
            for i, value in enumerate(clip.samples())
        )
        return pcm.Clip(clip.rate_hz, array.array("h", mixed).tobytes())


def trimmed(clip: pcm.Clip) -> pcm.Clip:
    """Without what is next to silence around the speech."""
    values = clip.samples()
    threshold = max(abs(value) for value in values) * 10 ** (-45 / 20)
    first = next(i for i, value in enumerate(values) if abs(value) > threshold)
    return pcm.Clip(clip.rate_hz, values[first : pcm.end_of_speech(clip) + 1].tobytes())
