"""Whisper models as CTranslate2 stores them, turned into the file that whisper.cpp reads.

Both keep the weights as the model was trained, most of them in half precision, so that nothing is computed here: fused
matrices are cut along their rows, small tensors are widened to single precision, names are translated. What whisper.cpp
wants besides are the tokens as bytes and the filter bank, which is a formula.
"""

import array
import json
import math
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass

MAGIC = 0x67676D6C
HALF, SINGLE = 1, 0  # whisper.cpp's numbers for element types
CT2_HALF = 4
AUDIO_CONTEXT_FRAMES, BANDS, SPECTRUM, RATE_HZ = 1500, 80, 201, 16_000
VOCABULARIES = (51_864, 51_865)  # of the English models, and of those for all languages
WRITTEN_TOKENS = 50_257  # that come before those which whisper.cpp names itself
HEAD_WIDTH = 64  # of every Whisper model


class ConversionError(Exception):
    """The file is not a Whisper model of the form expected."""


@dataclass(frozen=True)
class Tensor:
    shape: tuple[int, ...]
    data: memoryview  # half precision, little-endian

    def rows(self, first: int, last: int) -> "Tensor":
        width = 2 * math.prod(self.shape[1:])
        return Tensor((last - first, *self.shape[1:]), self.data[first * width : last * width])

    def single(self) -> bytes:
        return struct.pack(f"<{len(self.data) // 2}f", *struct.unpack(f"<{len(self.data) // 2}e", self.data))


def convert(model: bytes, tokenizer: bytes) -> bytes:
    tensors = _read_ct2(model)
    try:
        vocabulary, width = tensors["decoder/embeddings/weight"].shape
        audio_layers, text_layers = (_layers(tensors, part) for part in ("encoder", "decoder"))
        header = [vocabulary, AUDIO_CONTEXT_FRAMES, width, width // HEAD_WIDTH, audio_layers]
        header += [tensors["decoder/position_encodings/encodings"].shape[0], width, width // HEAD_WIDTH, text_layers]
        parts = [struct.pack("<12I", MAGIC, *header, BANDS, HALF), struct.pack("<2I", BANDS, SPECTRUM), _filter_bank()]
        parts.append(_tokens(tokenizer, vocabulary))
        parts += [_written(name, tensor) for name, tensor in _translated(tensors, audio_layers, text_layers)]
    except KeyError as error:
        raise ConversionError(f"the model has no {error}") from error
    return b"".join(parts)


def _read_ct2(model: bytes) -> dict[str, Tensor]:
    view, at = memoryview(model), 0

    def take(form: str) -> tuple:
        nonlocal at
        values = struct.unpack_from(form, view, at)
        at += struct.calcsize(form)
        return values

    def text() -> str:
        nonlocal at
        (length,) = take("<H")  # with the zero at its end
        at += length
        return bytes(view[at - length : at - 1]).decode()

    try:
        (version,) = take("<I")
        if version != 6 or text() != "WhisperSpec":
            raise ConversionError(f"not a Whisper model of CTranslate2's format 6, but of {version}")
        take("<I")
        (count,) = take("<I")
        tensors = {}
        for _ in range(count):
            name = text()
            (rank,) = take("<B")
            shape = take(f"<{rank}I")
            kind, size = take("<BI")
            if kind == CT2_HALF and size == 2 * math.prod(shape):
                tensors[name] = Tensor(shape, view[at : at + size])
            at += size
    except struct.error as error:
        raise ConversionError("the model was cut off") from error
    if at > len(model):
        raise ConversionError("the model was cut off")
    return tensors


def _layers(tensors: dict[str, Tensor], part: str) -> int:
    return len({name.split("/")[1] for name in tensors if name.startswith(f"{part}/layer_")} - {"layer_norm"})


def _attention(tensors: dict[str, Tensor], source: str, target: str, crosses: bool) -> Iterator[tuple[str, Tensor]]:
    """CTranslate2 fuses what is computed from the same input: all three, or key and value of another sequence."""
    pieces = {}
    names = (("query",), ("key", "value"), ("out",)) if crosses else (("query", "key", "value"), ("out",))
    for number, fused in enumerate(names):
        for kind in ("weight", "bias"):
            tensor = tensors[f"{source}/linear_{number}/{kind}"]
            rows = tensor.shape[0] // len(fused)
            pieces |= {(name, kind): tensor.rows(i * rows, (i + 1) * rows) for i, name in enumerate(fused)}
    del pieces["key", "bias"]  # all zero: a key has none
    yield from ((f"{target}.{name}.{kind}", tensor) for (name, kind), tensor in pieces.items())
    yield from _norm(tensors, f"{source}/layer_norm", f"{target}_ln")


def _norm(tensors: dict[str, Tensor], source: str, target: str) -> Iterator[tuple[str, Tensor]]:
    yield f"{target}.weight", tensors[f"{source}/gamma"]
    yield f"{target}.bias", tensors[f"{source}/beta"]


def _translated(tensors: dict[str, Tensor], audio_layers: int, text_layers: int) -> Iterator[tuple[str, Tensor]]:
    yield "encoder.positional_embedding", tensors["encoder/position_encodings/encodings"]
    for name in ("conv1.weight", "conv1.bias", "conv2.weight", "conv2.bias"):
        yield f"encoder.{name}", tensors[f"encoder/{name.replace('.', '/')}"]
    yield from _norm(tensors, "encoder/layer_norm", "encoder.ln_post")
    yield "decoder.positional_embedding", tensors["decoder/position_encodings/encodings"]
    yield "decoder.token_embedding.weight", tensors["decoder/embeddings/weight"]
    yield from _norm(tensors, "decoder/layer_norm", "decoder.ln")
    for part, layers in (("encoder", audio_layers), ("decoder", text_layers)):
        for layer in range(layers):
            source, target = f"{part}/layer_{layer}", f"{part}.blocks.{layer}"
            yield from _attention(tensors, f"{source}/self_attention", f"{target}.attn", crosses=False)
            if part == "decoder":
                yield from _attention(tensors, f"{source}/attention", f"{target}.cross_attn", crosses=True)
            yield from _norm(tensors, f"{source}/ffn/layer_norm", f"{target}.mlp_ln")
            for number, name in ((0, "mlp.0"), (1, "mlp.2")):
                for kind in ("weight", "bias"):
                    yield f"{target}.{name}.{kind}", tensors[f"{source}/ffn/linear_{number}/{kind}"]


def _written(name: str, tensor: Tensor) -> bytes:
    shape = tensor.shape
    wide = len(shape) == 1 or name.endswith("positional_embedding")
    if name in ("encoder.conv1.bias", "encoder.conv2.bias"):
        shape = (*shape, 1)
    head = struct.pack("<3I", len(shape), len(name), SINGLE if wide else HALF)
    head += struct.pack(f"<{len(shape)}I", *reversed(shape)) + name.encode()
    return head + (tensor.single() if wide else bytes(tensor.data))


def _tokens(tokenizer: bytes, vocabulary: int) -> bytes:
    """Each token's bytes. The tokenizer spells bytes that are no visible character by characters from 256 on."""
    visible = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in visible]
    byte_of = {chr(byte): byte for byte in visible} | {chr(256 + i): byte for i, byte in enumerate(hidden)}
    if vocabulary not in VOCABULARIES:
        raise ConversionError(f"the model has {vocabulary} tokens, expected {' or '.join(map(str, VOCABULARIES))}")
    by_id = {number: token for token, number in json.loads(tokenizer)["model"]["vocab"].items()}
    out = [struct.pack("<I", WRITTEN_TOKENS)]
    for number in range(WRITTEN_TOKENS):
        token = bytes(byte_of[character] for character in by_id[number])
        out.append(struct.pack("<I", len(token)) + token)
    return b"".join(out)


def _filter_bank() -> bytes:
    """Triangles on Slaney's mel scale, linear to 1000 Hz and logarithmic above it, each of the same area."""
    step, bend, bend_mel = 200 / 3, 1000.0, 15.0
    growth = math.log(6.4) / 27

    def hertz(mel: float) -> float:
        return mel * step if mel < bend_mel else bend * math.exp(growth * (mel - bend_mel))

    top = bend_mel + math.log(RATE_HZ / 2 / bend) / growth
    corners = [hertz(top * i / (BANDS + 1)) for i in range(BANDS + 2)]
    filters = array.array("f")
    for low, middle, high in zip(corners, corners[1:], corners[2:]):
        for line in range(SPECTRUM):
            frequency = line * RATE_HZ / 2 / (SPECTRUM - 1)
            height = min((frequency - low) / (middle - low), (high - frequency) / (high - middle))
            filters.append(max(0.0, height) * 2 / (high - low))
    if sys.byteorder == "big":
        filters.byteswap()
    return filters.tobytes()
