"""The bus as tests see it: nats-py behind plain blocking calls.

The connection lives on a thread of its own. A message is stamped with time.monotonic() when it arrives there, so that
what the test does meanwhile does not enter into measured times. Reconnects by itself.
"""

import asyncio
import contextlib
import json
import queue
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from typing import Any

import nats
import nats.errors


@dataclass(frozen=True)
class Message:
    subject: str
    data: bytes
    headers: dict[str, str]
    arrived: float  # time.monotonic()
    reply: str = ""  # where an answer is expected

    def json(self) -> Any:
        return json.loads(self.data)

    @property
    def session_id(self) -> str | None:
        """None where the payload is not one of Loqa's."""
        try:
            return self.json().get("session_id")
        except (ValueError, AttributeError):
            return None


class Inbox:
    """What arrived on one subscription, in order."""

    def __init__(self, subject: str, unsubscribe: Callable[[], None]) -> None:
        self.subject = subject
        self.close = unsubscribe
        self._messages: queue.Queue[Message] = queue.Queue()

    def put(self, message: Message) -> None:
        self._messages.put(message)

    def get(self, timeout: float, wanted: Callable[[Message], bool] = lambda _: True) -> Message:
        """The next message that is wanted; those before it are dropped."""
        deadline = time.monotonic() + timeout
        others = 0
        while True:
            try:
                message = self._messages.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise TimeoutError(f"nothing wanted on {self.subject} within {timeout} s ({others} others)") from None
            if wanted(message):
                return message
            others += 1

    def of_session(self, session_id: str, timeout: float) -> Message:
        return self.get(timeout, lambda message: message.session_id == session_id)

    def drain(self) -> list[Message]:
        """All that is there now."""
        found = []
        while not self._messages.empty():
            found.append(self._messages.get_nowait())
        return found


class Bus:
    def __init__(self, url: str, timeout: float = 5) -> None:
        self.errors: list[str] = []  # what the server or the library complained about
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="bus", daemon=True)
        self._thread.start()
        self._connection = nats.NATS()
        try:
            self._wait(self._connect(url), timeout)
        except BaseException:
            self._stop_loop()
            raise

    async def _connect(self, url: str) -> None:
        async def note(error: Exception) -> None:
            self.errors.append(str(error))

        await self._connection.connect(
            url,
            name="system test",
            error_cb=note,
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.05,
            connect_timeout=2,
        )

    def _wait(self, work: Any, timeout: float) -> Any:
        future: Future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(timeout)
        finally:
            future.cancel()

    def publish(self, subject: str, payload: bytes | str | dict = b"", headers: dict[str, str] | None = None) -> None:
        if isinstance(payload, dict):
            payload = json.dumps(payload)
        if isinstance(payload, str):
            payload = payload.encode()
        self.publish_all([(subject, payload, headers)])

    def publish_all(self, messages: Iterable[tuple[str, bytes, dict[str, str] | None]]) -> None:
        """As fast as the server takes them."""

        async def send() -> None:
            for subject, payload, headers in messages:
                await self._connection.publish(subject, payload, headers=headers)

        self._wait(send(), 60)

    def subscribe(self, subject: str) -> Inbox:
        """Once this returns the server knows of the subscription."""

        async def arrive(message: Any) -> None:
            inbox.put(Message(message.subject, message.data, dict(message.headers or {}), time.monotonic(), message.reply))

        async def start() -> Any:
            # No limits: a test that lost messages on its own side would blame Loqa for it.
            made = await self._connection.subscribe(subject, cb=arrive, pending_msgs_limit=0, pending_bytes_limit=0)
            await self._round_trip(5)
            return made

        inbox = Inbox(subject, lambda: self._wait(subscription.unsubscribe(), 5))
        subscription = self._wait(start(), 6)
        return inbox

    def request(self, subject: str, payload: dict | None = None, timeout: float = 2) -> Any:
        async def ask() -> Any:
            try:
                return await self._connection.request(subject, json.dumps(payload or {}).encode(), timeout=timeout)
            except nats.errors.NoRespondersError:
                raise TimeoutError(f"nobody answers on {subject}") from None

        return json.loads(self._wait(ask(), timeout + 1).data)

    def flush(self, timeout: float = 5) -> None:
        """Returns when the server has seen all that was published: one round trip."""
        self._wait(self._round_trip(timeout), timeout + 2)

    async def _round_trip(self, timeout: float) -> None:
        # A server that is lost meanwhile takes the answer with it; what was asked of it is asked of the next one.
        deadline = time.monotonic() + timeout
        while True:
            try:
                return await self._connection.flush(1)
            except nats.errors.TimeoutError:
                if time.monotonic() >= deadline:
                    raise

    @property
    def max_payload(self) -> int:
        return self._connection.max_payload

    def close(self) -> None:
        # Closing ends tasks of the library's own, and where the server went just before, their end is handed on to us.
        try:
            with contextlib.suppress(CancelledError):
                self._wait(self._connection.close(), 5)
        finally:
            self._stop_loop()

    def _stop_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
