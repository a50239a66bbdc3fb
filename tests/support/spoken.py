"""Compares what was meant with what a recogniser wrote: "12:05" and "twelve oh five" are the same words."""

import difflib
import re

_SMALL = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS = ["zero", "ten", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_ORDINALS = {
    "first": "one", "second": "two", "third": "three", "fifth": "five", "eighth": "eight", "ninth": "nine",
    "twelfth": "twelve", "twentieth": "twenty", "thirtieth": "thirty",
}  # fmt: skip
_SPELLINGS = {"oh": "o", "zero": "o", "okay": "ok", "p": "pm", "a": "am"}


def _number(value: int) -> list[str]:
    if value < 20:
        return [_SMALL[value]]
    if value < 100:
        return [_TENS[value // 10]] + ([_SMALL[value % 10]] if value % 10 else [])
    if value < 1000:
        return [_SMALL[value // 100], "hundred"] + (_number(value % 100) if value % 100 else [])
    if 1100 <= value < 2100 and value % 1000 >= 10:  # as a year
        return _number(value // 100) + _number(value % 100)
    return _number(value // 1000) + ["thousand"] + (_number(value % 1000) if value % 1000 else [])


def _time(match: re.Match) -> str:
    hour, minute = match[1], match[2]
    if minute == "00":
        return f" {hour} "
    return f" {hour} {'oh ' if minute[0] == '0' else ''}{int(minute)} "


def words(text: str) -> list[str]:
    text = text.lower().replace("'s", "").replace("’s", "").replace("-", " ")
    text = re.sub(r"\b([ap])\. ?m\b\.?", r"\1m", text)
    text = re.sub(r"(\d)([ap]m)\b", r"\1 \2", text)
    text = re.sub(r"\b(\d{1,2}):(\d\d)\b", _time, text)
    text = re.sub(r"(\d+)(st|nd|rd|th)\b", r"\1", text)
    found: list[str] = []
    for word in re.findall(r"[a-z]+|\d+", text):
        if word.isdigit():
            found += _number(int(word))
        elif word in _ORDINALS:
            found.append(_ORDINALS[word])
        elif word.endswith("th") and word[:-2] in _SMALL:
            found.append(word[:-2])
        else:
            found.append(word)
    return [_SPELLINGS.get(word, word) for word in found if word not in ("the", "and", "it", "is")]


def likeness(meant: str, heard: str) -> float:
    """1 when both say the same, 0 when they share nothing. Letters are compared, not words: "timer" and "time or" are near."""
    return difflib.SequenceMatcher(None, "".join(words(meant)), "".join(words(heard)), autojunk=False).ratio()


def says(heard: str, expected: str) -> bool:
    """Whether the words of `expected` occur in `heard` one after the other."""
    haystack, needle = words(heard), words(expected)
    return any(haystack[i : i + len(needle)] == needle for i in range(len(haystack) - len(needle) + 1))


def nearly_says(heard: str, expected: str) -> bool:
    """Whether some words of `heard`, one after the other, are those of `expected` but for a letter here and there: a voice that
    never says a sentence twice the same way is not heard the same way twice either."""
    haystack, needle = words(heard), words(expected)
    return any(
        difflib.SequenceMatcher(None, "".join(haystack[i:j]), "".join(needle), autojunk=False).ratio() >= 0.8
        for i in range(len(haystack))
        for j in range(i + 1, min(len(haystack), i + len(needle) + 2) + 1)
    )
