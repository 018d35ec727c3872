# SPDX-License-Identifier: Apache-2.0
"""Clients that send numbered telemetry by the rules of the OTLP specification, and keep a journal of it.

A request is sent, byte for byte the same, until it is settled: acknowledged, partially accepted (never sent
again), refused for good, or given up where the client is told to give up. What may be sent again is what
the specification lists; RetryInfo is obeyed, without it the delay grows exponentially.
"""

from dataclasses import dataclass, field
import random
import threading
import time

import grpc
from google.rpc import status_pb2

from support import numbering
from support.grpcwire import PATHS, RETRY_SECONDS_MAX, RETRY_SECONDS_MIN, retry_seconds
from support.otlp import REJECTED_FIELDS, RESPONSES, SIGNALS
from support.waiting import eventually

Code = grpc.StatusCode
RETRYABLE = {Code.CANCELLED, Code.DEADLINE_EXCEEDED, Code.ABORTED, Code.OUT_OF_RANGE, Code.UNAVAILABLE,
             Code.DATA_LOSS}
CHANNEL_OPTIONS = [
    ("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0),
    ("grpc.max_send_message_length", -1),
    # A daemon that comes back is found at once.
    ("grpc.initial_reconnect_backoff_ms", 20), ("grpc.min_reconnect_backoff_ms", 20),
    ("grpc.max_reconnect_backoff_ms", 200)]


@dataclass
class Habits:
    """What the clients of a load do. Numbers per client where not said otherwise."""

    client_count: int = 8
    items_max: int = 20
    signals: tuple = SIGNALS
    # Items per second of all clients together: a bound, so that a scenario costs what it has to.
    rate: float = 2_000.0
    # The deadline of one attempt; SDKs take 10 s.
    timeout_seconds: float = 10.0
    # Without RetryInfo: from so much on, doubled each time, with jitter.
    backoff_seconds: tuple = (0.05, 1.0)
    padding: str = ""
    poison_share: float = 0.0
    # Shares of attempts that the client cancels, gives a deadline of a few milliseconds, or makes on a new
    # connection.
    cancel_share: float = 0.0
    hurry_share: float = 0.0
    reconnect_share: float = 0.0
    # Items are dated so long before now.
    age_seconds: float = 1800.0


@dataclass
class Tally:
    """What all clients together have seen. Guarded by the load's lock."""

    sent_count: int = 0
    acknowledged_count: int = 0
    rejected_count: int = 0
    settled_count: int = 0
    attempts: dict = field(default_factory=dict)
    ack_seconds_max: float = 0.0
    retry_info_count: int = 0
    # Sentences about answers that no daemon should give.
    wrong: list = field(default_factory=list)


class Load:
    """All clients, one thread each. `ports` are the daemons; an attempt that failed goes to the next one.

    `kind` is Client, or one that speaks another protocol.
    """

    def __init__(self, ports, journal, seed, habits, kind=None):
        self.ports = list(ports)
        self.journal = journal
        self.habits = habits
        self.tally = Tally()
        self.lock = threading.Condition()
        self.base_ns = time.time_ns() - int(habits.age_seconds * 1e9)
        self.next_number = 1
        self.next_due = time.monotonic()
        self.stopping = threading.Event()
        self.aborting = threading.Event()
        self.clients = [(kind or Client)(self, number, random.Random(f"{seed}/client {number}"))
                        for number in range(habits.client_count)]

    def start(self):
        for client in self.clients:
            client.thread.start()
        return self

    def more(self, count, seconds=120):
        """Returns when `count` more items are acknowledged than now."""
        self.until(lambda tally, target=self.tally.acknowledged_count + count: tally.acknowledged_count >= target,
                   f"{count} more acknowledged items", seconds)

    def more_sent(self, count, seconds=120):
        self.until(lambda tally, target=self.tally.sent_count + count: tally.sent_count >= target,
                   f"{count} more items sent", seconds)

    def more_attempts(self, codes, count, seconds=120):
        """Returns when `count` more attempts than now have ended with one of `codes`."""
        target = self.attempt_count(codes) + count
        self.until(lambda tally: self.attempt_count(codes) >= target,
                   f"{count} more attempts to end with {sorted(code.name for code in codes)}", seconds)

    def attempt_count(self, codes):
        return sum(self.tally.attempts.get(code, 0) for code in codes)

    def until(self, condition, what, seconds):
        """Waits for a condition on the tally, and is woken at every change of it."""
        with self.lock:
            held = self.lock.wait_for(lambda: self.has_died() or condition(self.tally), timeout=seconds)
            assert not self.has_died(), f"a client died while waiting for {what}"
            assert held, f"waited {seconds} s for {what}: {self.tally}"

    def has_died(self):
        return any(client.error for client in self.clients)

    def finish(self, seconds=120):
        """Makes no new requests, and returns when all that were made are settled."""
        self.stopping.set()
        self.wake()
        try:
            eventually(lambda: not any(client.thread.is_alive() for client in self.clients),
                       "every request to be settled", seconds)
        finally:
            self.abort()
        for client in self.clients:
            if client.error:
                raise client.error

    def abort(self):
        """Ends all clients, whatever is unsettled. Can be called again."""
        self.stopping.set()
        self.aborting.set()
        self.wake()
        for client in self.clients:
            client.cancel()
            if client.thread.is_alive():
                client.thread.join()

    def wake(self):
        with self.lock:
            self.lock.notify_all()

    # What clients call.

    def take_numbers(self, count):
        """The first of `count` new numbers, once the bounded rate has room for them; None when stopping."""
        with self.lock:
            due = max(self.next_due, time.monotonic())
            self.next_due = due + count / self.habits.rate
            # Not later than the rate demands, and not at all when the load stops meanwhile.
            while (wait_seconds := due - time.monotonic()) > 0 and not self.stopping.is_set():
                self.lock.wait(min(wait_seconds, 0.5))
            if self.stopping.is_set():
                return None
            first = self.next_number
            self.next_number += count
            self.tally.sent_count += count
            self.lock.notify_all()
            return first

    def note(self, change):
        with self.lock:
            change(self.tally)
            self.lock.notify_all()


class Client:
    """One client: a thread, a connection, one request at a time."""

    def __init__(self, load, number, rng):
        self.load = load
        self.rng = rng
        self.port_index = number
        self.channel = None
        self.methods = {}
        self.call = None
        self.cancel_seconds = None
        self.error = None
        self.thread = threading.Thread(target=self.run, name=f"client-{number}", daemon=True)

    def run(self):
        try:
            while not self.load.stopping.is_set():
                self.send_one()
        except BaseException as error:  # for whoever waits for the load
            self.error = error
            self.load.wake()
        finally:
            self.disconnect()

    def send_one(self):
        habits, rng = self.load.habits, self.rng
        signal = rng.choice(habits.signals)
        count = rng.randint(1, habits.items_max)
        is_poisoned = rng.random() < habits.poison_share
        poison_places = rng.sample(range(count), rng.randint(1, min(3, count))) if is_poisoned else []
        first = self.load.take_numbers(count)
        if first is None:
            return
        poison = sorted(first + place for place in poison_places)
        body = numbering.request_bytes(signal, first, count, self.load.base_ns, poison, habits.padding)
        self.load.journal.note("sent", first, count, signal, *poison)
        self.settle(signal, first, count, body)

    def settle(self, signal, first, count, body):
        """Attempt after attempt with the same bytes, until the request has ended."""
        began = time.monotonic()
        backoff_seconds = self.load.habits.backoff_seconds[0]
        while not self.load.aborting.is_set():
            try:
                response = self.attempt(signal, body)
            except grpc.RpcError as error:
                delay_seconds = self.judge(error)
                if delay_seconds is None:
                    return self.end("final", first, count, 0, began, error.code().name)
                self.load.journal.note("again", first, error.code().name)
                self.port_index += 1
                if delay_seconds == 0:
                    delay_seconds = backoff_seconds * self.rng.uniform(0.5, 1)
                    backoff_seconds = min(backoff_seconds * 2, self.load.habits.backoff_seconds[1])
                self.load.aborting.wait(delay_seconds)
                continue
            rejected_count = getattr(response.partial_success, REJECTED_FIELDS[signal])
            if rejected_count:
                return self.end("partial", first, count, count - rejected_count, began, rejected_count)
            return self.end("acknowledged", first, count, count, began)
        return self.load.journal.note("left", first)

    def attempt(self, signal, body):
        habits, rng = self.load.habits, self.rng
        if self.channel is None or rng.random() < habits.reconnect_share or self.is_elsewhere():
            self.connect()
        fate = rng.random()
        timeout = habits.timeout_seconds
        if fate < habits.hurry_share:
            timeout = rng.uniform(0.001, 0.03)
        is_cancelled = habits.hurry_share <= fate < habits.hurry_share + habits.cancel_share
        self.cancel_seconds = rng.uniform(0, 0.02) if is_cancelled else None
        code = Code.OK
        try:
            return self.perform(signal, body, timeout)
        except grpc.RpcError as error:
            code = error.code()
            raise
        finally:
            self.load.note(lambda tally: tally.attempts.update({code: tally.attempts.get(code, 0) + 1}))

    def perform(self, signal, body, timeout):
        """The response to one attempt; an RpcError where there is none."""
        self.call = self.methods[signal].future(body, timeout=timeout)
        if self.cancel_seconds is not None:
            self.load.aborting.wait(self.cancel_seconds)
            self.call.cancel()
        error = self.call.exception() if not self.call.cancelled() else Cancelled()
        if error:
            raise error
        return self.call.result()

    def judge(self, error):
        """Seconds after which to send again; 0 for as long as the client likes, None for never."""
        code, info = error.code(), retry_info(error)
        if info is not None:
            self.load.note(lambda tally: setattr(tally, "retry_info_count", tally.retry_info_count + 1))
            if not RETRY_SECONDS_MIN <= info <= RETRY_SECONDS_MAX:
                self.wrong(f"{code.name} with a delay of {info} s")
        if code in RETRYABLE or code == Code.RESOURCE_EXHAUSTED and info is not None:
            return info or 0
        return None

    def end(self, event, first, count, accepted_count, began, *details):
        self.load.journal.note(event, first, *details)
        took_seconds = time.monotonic() - began

        def change(tally):
            tally.settled_count += 1
            if event != "final":
                tally.acknowledged_count += accepted_count
                tally.rejected_count += count - accepted_count
                tally.ack_seconds_max = max(tally.ack_seconds_max, took_seconds)
            else:
                tally.wrong.append(f"{details[0]} for items {first} and following")
        self.load.note(change)

    def wrong(self, sentence):
        self.load.note(lambda tally: tally.wrong.append(sentence))

    def is_elsewhere(self):
        """Whether the last attempt failed and there is another daemon to try."""
        return len(self.load.ports) > 1 and self.connected_index != self.port_index

    def connect(self):
        self.disconnect()
        self.connected_index = self.port_index
        port = self.load.ports[self.port_index % len(self.load.ports)]
        self.channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=CHANNEL_OPTIONS)
        self.methods = {signal: self.channel.unary_unary(
            PATHS[signal], response_deserializer=RESPONSES[signal].FromString) for signal in SIGNALS}

    def disconnect(self):
        if self.channel is not None:
            self.channel.close()
            self.channel = None

    def cancel(self):
        if self.call is not None:
            self.call.cancel()


class Cancelled(grpc.RpcError):
    """What grpcio tells nobody who has cancelled a call."""

    def code(self):
        return Code.CANCELLED

    def trailing_metadata(self):
        return ()


def retry_info(error):
    """The delay that the daemon asks for, in seconds, or None."""
    if hasattr(error, "retry_info"):
        return error.retry_info()
    details = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin")
    return None if details is None else retry_seconds(status_pb2.Status.FromString(details))
