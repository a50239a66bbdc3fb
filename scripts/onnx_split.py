"""Cuts an ONNX model in two at one of its tensors.

Piper's voices are one graph: text to hidden frames (needs the whole sentence), then hidden frames to samples (needs only
neighbouring frames). Cut between the two, the second half can run piece by piece and the first audio is heard early.

Works on the protobuf wire format itself, so that setting up a machine needs no ONNX package: nodes and weights are copied
byte for byte in their order, and the same input always gives the same output. Field numbers are those of onnx.proto.
"""

from collections.abc import Iterator

MODEL_GRAPH = 7
GRAPH_NODE, GRAPH_NAME, GRAPH_INITIALIZER, GRAPH_INPUT, GRAPH_OUTPUT, GRAPH_VALUE_INFO = 1, 2, 5, 11, 12, 13
NODE_INPUT, NODE_OUTPUT, NODE_ATTRIBUTE = 1, 2, 5
ATTRIBUTE_GRAPH, ATTRIBUTE_GRAPHS = 6, 11
INITIALIZER_NAME = 8
VALUE_INFO_NAME = 1


class SplitError(Exception):
    """The model is not one that can be cut there."""


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _encode_varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _fields(data: memoryview) -> Iterator[tuple[int, memoryview, memoryview]]:
    """Each field of a message: its number, its payload (empty for numbers) and its whole encoding."""
    at = 0
    while at < len(data):
        start = at
        tag, at = _varint(data, at)
        payload = data[at:at]
        match tag & 7:
            case 0:
                _, at = _varint(data, at)
            case 1:
                at += 8
            case 2:
                size, at = _varint(data, at)
                payload = data[at : at + size]
                at += size
            case 5:
                at += 4
            case wire_type:
                raise SplitError(f"byte {start} of a message has the unknown wire type {wire_type}: not an ONNX model")
        if at > len(data):
            raise SplitError("a field is longer than its message: the model was cut off")
        yield tag >> 3, payload, data[start:at]


def _texts(data: memoryview, number: int) -> list[str]:
    return [str(payload, "utf-8") for field, payload, _ in _fields(data) if field == number]


def _delimited(number: int, payload: bytes | memoryview) -> bytes:
    return _encode_varint(number << 3 | 2) + _encode_varint(len(payload)) + payload


class _Graph:
    def __init__(self, encoded: memoryview):
        self.nodes: list[tuple[list[str], list[str], memoryview]] = []  # inputs, outputs, encoding
        self.initializers: dict[str, memoryview] = {}
        self.values: dict[str, memoryview] = {}  # payload of a ValueInfoProto
        self.inputs: list[str] = []
        self.outputs: list[str] = []
        for number, payload, whole in _fields(encoded):
            if number == GRAPH_NODE:
                for attribute in (body for field, body, _ in _fields(payload) if field == NODE_ATTRIBUTE):
                    if any(field in (ATTRIBUTE_GRAPH, ATTRIBUTE_GRAPHS) for field, _, _ in _fields(attribute)):
                        raise SplitError("the model has graphs inside its nodes (If, Loop), which cannot be cut")
                self.nodes.append((_texts(payload, NODE_INPUT), _texts(payload, NODE_OUTPUT), whole))
            elif number == GRAPH_INITIALIZER:
                self.initializers[_texts(payload, INITIALIZER_NAME)[0]] = whole
            elif number in (GRAPH_INPUT, GRAPH_OUTPUT, GRAPH_VALUE_INFO):
                name = _texts(payload, VALUE_INFO_NAME)[0]
                self.values[name] = payload
                if number == GRAPH_INPUT:
                    self.inputs.append(name)
                elif number == GRAPH_OUTPUT:
                    self.outputs.append(name)

    def part(self, inputs: list[str], outputs: list[str], name: str) -> bytes:
        """The nodes and weights that outputs need, given inputs."""
        needed = set(outputs)
        kept = []
        for node_inputs, node_outputs, encoding in reversed(self.nodes):  # ONNX keeps nodes in topological order
            if needed.intersection(node_outputs) - set(inputs):
                kept.append(encoding)
                needed.update(node_inputs)
        made = {output for _, node_outputs, _ in self.nodes for output in node_outputs}
        missing = needed - made - self.initializers.keys() - set(inputs) - {""}
        if missing:
            raise SplitError(f"the {name} would also need {', '.join(sorted(missing))}")
        return b"".join(
            [*reversed(kept), _delimited(GRAPH_NAME, name.encode())]
            + [encoding for key, encoding in self.initializers.items() if key in needed]
            + [_delimited(GRAPH_INPUT, self.values[key]) for key in inputs]
            + [_delimited(GRAPH_OUTPUT, self.values[key]) for key in outputs]
        )


def split(model: bytes, tensor: str) -> tuple[bytes, bytes]:
    """The two models that meet at the tensor: inputs to tensor, and tensor to outputs."""
    view = memoryview(model)
    head, encoded_graph = b"", None
    for number, payload, whole in _fields(view):
        if number == MODEL_GRAPH:
            encoded_graph = payload
        else:
            head += whole  # versions, operator sets
    if encoded_graph is None:
        raise SplitError("no graph in the file: not an ONNX model")
    graph = _Graph(encoded_graph)
    if tensor not in graph.values:
        raise SplitError(f"the model has no tensor {tensor}")

    first = graph.part(graph.inputs, [tensor], "encoder")
    second = graph.part([tensor], graph.outputs, "decoder")
    return head + _delimited(MODEL_GRAPH, first), head + _delimited(MODEL_GRAPH, second)
