#!/usr/bin/env python3
"""A client of the older protocol, for nats-py and nothing else: it knows loqa-core's subjects and JSON payloads alone.

It is kept as clients in the field are: no header, no subject and no field that loqa-core does not have. By hand:
    compat_client.py NATS_URL say question.wav answer.wav
    compat_client.py NATS_URL ask "what time is it" answer.wav
    compat_client.py NATS_URL speak "good morning" answer.wav
"""

import argparse
import asyncio
import base64
import json
import time
import uuid
import wave
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import nats

FRAME_S = 0.02


@dataclass
class Reply:
    session_id: str
    sample_rate: int = 0
    channels: int = 1
    pcm: bytes = b""
    sequences: list[int] = field(default_factory=list)
    arrivals: list[float] = field(default_factory=list)  # seconds since the request, one a chunk
    done: float = 0
    targets: set[str] = field(default_factory=set)
    longest_chunk_ms: float = 0
    completed: bool = False
    transcript: str | None = None  # what was heard, where the client spoke

    def save(self, path: str) -> None:
        with wave.open(path, "wb") as file:
            file.setnchannels(self.channels)
            file.setsampwidth(2)
            file.setframerate(self.sample_rate)
            file.writeframes(self.pcm)


class Client:
    def __init__(self, connection: nats.NATS) -> None:
        self._connection = connection
        self._sessions: dict[str, asyncio.Queue] = {}

    @classmethod
    async def connect(cls, url: str) -> "Client":
        client = cls(await nats.connect(url, connect_timeout=5))
        for subject in ("tts.audio", "tts.done", "stt.text.final"):
            await client._connection.subscribe(subject, cb=client._arrive)
        await client._connection.flush()
        return client

    async def close(self) -> None:
        await self._connection.close()

    async def _arrive(self, message: Any) -> None:
        payload = json.loads(message.data)
        if waiting := self._sessions.get(payload["session_id"]):
            waiting.put_nowait((message.subject, payload))

    async def _publish(self, subject: str, payload: dict) -> None:
        await self._connection.publish(subject, json.dumps(payload).encode())

    async def say(
        self,
        path: str,
        *,
        subject_of_session: bool = False,
        mark_end: bool = False,
        timeout: float = 20,
    ) -> Reply:
        """Streams a WAV file in real time, then silence until it is answered, or marks the end with the last frame."""
        session_id, inbox = self._open()
        streaming = asyncio.create_task(self._stream(path, session_id, subject_of_session, mark_end))
        try:
            return await asyncio.wait_for(self._reply(session_id, inbox), timeout)
        finally:
            streaming.cancel()
            await asyncio.gather(streaming, return_exceptions=True)
            del self._sessions[session_id]

    async def ask(self, text: str, timeout: float = 15) -> Reply:
        """Puts a text where the recogniser would put it."""
        return await self._request(
            "stt.text.final",
            {"text": text, "partial": False, "timestamp": datetime.now(UTC).isoformat(), "confidence": 1.0},
            timeout,
        )

    async def speak(self, text: str, target: str = "", timeout: float = 15) -> Reply:
        """Asks for a text to be spoken."""
        return await self._request("tts.request", {"text": text} | ({"target": target} if target else {}), timeout)

    def _open(self) -> tuple[str, asyncio.Queue]:
        session_id = str(uuid.uuid4())
        self._sessions[session_id] = asyncio.Queue()
        return session_id, self._sessions[session_id]

    async def _request(self, subject: str, payload: dict, timeout: float) -> Reply:
        session_id, inbox = self._open()
        try:
            await self._publish(subject, {"session_id": session_id, **payload})
            return await asyncio.wait_for(self._reply(session_id, inbox), timeout)
        finally:
            del self._sessions[session_id]

    async def _stream(self, path: str, session_id: str, subject_of_session: bool, mark_end: bool) -> None:
        with wave.open(path, "rb") as file:
            rate, channels = file.getframerate(), file.getnchannels()
            per_frame = int(rate * FRAME_S)
            pieces = []
            while piece := file.readframes(per_frame):
                pieces.append(piece.ljust(2 * channels * per_frame, b"\0"))
        subject = f"audio.frame.{session_id}" if subject_of_session else "audio.frame"
        quiet = bytes(2 * channels * per_frame)
        start, sequence = time.monotonic(), 0
        while True:
            final = mark_end and sequence + 1 == len(pieces)
            pcm = pieces[sequence] if sequence < len(pieces) else quiet
            await asyncio.sleep(max(0.0, start + (sequence + 1) * FRAME_S - time.monotonic()))
            await self._publish(
                subject,
                {
                    "session_id": session_id,
                    "sequence": sequence,
                    "sample_rate": rate,
                    "channels": channels,
                    "pcm": base64.b64encode(pcm).decode(),
                    "final": final,
                },
            )
            if final:
                return
            sequence += 1

    async def _reply(self, session_id: str, inbox: asyncio.Queue) -> Reply:
        reply = Reply(session_id)
        begin = time.monotonic()
        while True:
            subject, payload = await inbox.get()
            if subject != "stt.text.final":
                reply.targets.add(payload.get("target", ""))
            if subject == "stt.text.final":
                reply.transcript = payload["text"]
            elif subject == "tts.audio":
                pcm = base64.b64decode(payload["pcm"], validate=True)
                reply.sample_rate, reply.channels = payload["sample_rate"], payload["channels"]
                reply.sequences.append(payload["sequence"])
                reply.arrivals.append(time.monotonic() - begin)
                reply.longest_chunk_ms = max(
                    reply.longest_chunk_ms, len(pcm) / (2 * reply.channels * reply.sample_rate) * 1000
                )
                reply.pcm += pcm
            elif subject == "tts.done":
                reply.completed, reply.done = payload["completed"], time.monotonic() - begin
                return reply


async def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url")
    parser.add_argument("action", choices=("say", "ask", "speak"))
    parser.add_argument("what", help="a WAV file to say, or a text")
    parser.add_argument("out", help="the WAV file for the answer")
    options = parser.parse_args()
    client = await Client.connect(options.url)
    try:
        reply = await getattr(client, options.action)(options.what)
        reply.save(options.out)
        print(f"heard {reply.transcript!r}; {len(reply.pcm)} bytes in {options.out}; completed: {reply.completed}")
    finally:
        await client.close()


if __name__ == "__main__":
    asyncio.run(_main())
