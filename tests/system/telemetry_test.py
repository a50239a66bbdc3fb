"""What Loqa tells about itself reaches the tools that people look at it with: an OTLP receiver and Prometheus."""

import http.server
import json
import queue
import shutil
import socket
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

import client
import pcm
from local_loqa import CACHE, Instance

# Every span of an answered turn, and the one it is a part of.
HOPS = {
    "voice.session": None,
    "stt.listen": "voice.session",
    "stt.endpoint": "voice.session",
    "stt.decode": "voice.session",
    "intent": "voice.session",
    "skill": "voice.session",
    "tts.queue": "voice.session",
    "tts.synthesise": "voice.session",
    "tts.first_chunk": "tts.synthesise",
}

# What is seen is the matter here, not how fast it is: a busy machine may take its time.
PATIENCE = {"LOQA_SESSION_TURN_TIMEOUT_MS": "60000", "LOQA_SESSION_TTS_TIMEOUT_MS": "60000"}


@pytest.fixture
def otlp_receiver() -> Iterator[tuple[str, "queue.Queue[ExportTraceServiceRequest]"]]:
    """Its address and what it was sent, decoded by the protocol's own code."""
    received: queue.Queue[ExportTraceServiceRequest] = queue.Queue()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            good = self.path == "/v1/traces" and self.headers["Content-Type"] == "application/x-protobuf"
            if good:
                received.put(ExportTraceServiceRequest.FromString(body))
            self.send_response(200 if good else 400)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", received
        finally:
            server.shutdown()


def test_a_turn_is_one_trace_at_an_otlp_receiver(
    fresh_instance: Callable[..., Instance],
    voices: Callable[[str, str], Path],
    otlp_receiver: tuple[str, "queue.Queue[ExportTraceServiceRequest]"],
) -> None:
    endpoint, received = otlp_receiver
    instance = fresh_instance(environment=PATIENCE | {"LOQA_TELEMETRY_OTLP_ENDPOINT": endpoint}).start()
    finals = instance.bus.subscribe("stt.text.final")
    with client.Satellite(instance.bus) as satellite:
        answer = satellite.ask_at_once(pcm.read_wav(voices("flite-slt", "what time is it")), timeout=60)
        trace_id = finals.of_session(satellite.session_id, 5).headers["traceparent"].split("-")[1]
    assert answer.outcome == "answered"

    spans, services = {}, {}
    deadline = time.monotonic() + 30
    while missing := HOPS.keys() - {span.name for span in spans.values()}:
        try:
            request = received.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            pytest.fail(f"no {', '.join(sorted(missing))} within 30 s; there are {[s.name for s in spans.values()]}")
        for of_process in request.resource_spans:
            resource = {item.key: item.value.string_value for item in of_process.resource.attributes}
            for scope in of_process.scope_spans:
                for span in scope.spans:
                    if span.trace_id.hex() == trace_id:
                        assert span.span_id not in spans, f"{span.name} came twice"
                        spans[span.span_id] = span
                        services[span.name] = f"{resource['service.namespace']}/{resource['service.name']}"

    names = {span_id: span.name for span_id, span in spans.items()} | {b"": None}
    assert {(span.name, names.get(span.parent_span_id, "?")) for span in spans.values()} == set(HOPS.items())
    of_part = {hop.split(".")[0]: service for hop, service in services.items()}
    assert of_part.pop("stt") == "loqa/loqa-stt"
    assert of_part.pop("tts") == "loqa/loqa-tts"
    assert set(of_part.values()) == {"loqa/loqad"}
    for span in spans.values():
        assert 0 < span.start_time_unix_nano <= span.end_time_unix_nano, span.name
        assert span.status.code == span.status.STATUS_CODE_UNSET, span.name


def free_ports(count: int) -> int:
    """The first of `count` ports in a row that nobody listens on."""
    for first in range(19_091, 29_091, 10):
        taken = False
        for port in range(first, first + count):
            with socket.socket() as probe:
                taken = taken or probe.connect_ex(("127.0.0.1", port)) == 0
        if not taken:
            return first
    raise RuntimeError("no free ports")


def query(prometheus: str, expression: str) -> list[dict]:
    url = f"{prometheus}/api/v1/query?" + urllib.parse.urlencode({"query": expression})
    with urllib.request.urlopen(url, timeout=5) as answer:
        return json.load(answer)["data"]["result"]


def query_until(prometheus: str, expression: str, enough: Callable[[list[dict]], bool], timeout: float) -> list[dict]:
    deadline = time.monotonic() + timeout
    while True:
        found: list[dict] = []
        try:
            found = query(prometheus, expression)
        except OSError:
            pass  # not up yet
        if enough(found):
            return found
        assert time.monotonic() < deadline, f"{expression} is {found} after {timeout} s"
        time.sleep(0.1)  # Prometheus has no way to tell when it has scraped


def test_metrics_are_scraped_by_prometheus(
    fresh_instance: Callable[..., Instance], voices: Callable[[str, str], Path], tmp_path: Path
) -> None:
    program = shutil.which("prometheus") or shutil.which("prometheus", path=str(CACHE / "tools" / "prometheus"))
    if not program:
        pytest.skip("prometheus is not installed: run scripts/setup.sh test")
    first = free_ports(4)
    instance = fresh_instance(
        environment=PATIENCE | {"LOQA_TELEMETRY_PROMETHEUS_BIND": f"127.0.0.1:{first}"}
    ).start()
    with client.Satellite(instance.bus) as satellite:
        answer = satellite.ask_at_once(pcm.read_wav(voices("flite-slt", "what time is it")), timeout=60)
    assert answer.outcome == "answered"

    targets = [f"127.0.0.1:{port}" for port in range(first, first + 3)]
    config = tmp_path / "prometheus.yml"
    config.write_text(
        json.dumps(
            {
                "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
                "scrape_configs": [{"job_name": "loqa", "static_configs": [{"targets": targets}]}],
            }
        )
    )
    address = f"127.0.0.1:{first + 3}"
    command = [program, f"--config.file={config}", f"--storage.tsdb.path={tmp_path}", f"--web.listen-address={address}"]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as server:
        try:
            url = f"http://{address}"
            query_until(url, "up == 1", lambda found: len(found) == 3, 30)
            turns = query_until(url, "loqa_voice_latency_ms_count > 0", bool, 10)
            names = {item["metric"]["__name__"] for item in query(url, '{job="loqa"}')}
        finally:
            server.terminate()

    assert {"total", "stt", "intent", "skill", "tts", "playback"} <= {turn["metric"]["stage"] for turn in turns}
    assert any(name.startswith("loqa_stt_") for name in names)
    assert any(name.startswith("loqa_tts_") for name in names)
    assert any("reconnect" in name for name in names)
    assert any("dropped" in name for name in names)
    assert any("model_load" in name for name in names)
