"""Live streams: delay, loss and cost, with the model's server asked directly in the same run for comparison."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from bench.client import Door, Order, Report, all_delays
from bench.report import Row, percentile
from bench.rig import DATABASES, Meter, Usage, client, new_threads, zerg
from tests.flows.stack import Stack

RATE = 50.0
SECONDS = 20.0
ALONE = 15
"""So many runs, one after another, make the figures of one at a time."""
STARTS_PER_SECOND = 10.0


@dataclass(frozen=True)
class Measured:
    """One load on one door. ``usage`` is None for the model's own server."""

    order: Order
    report: Report
    usage: Usage | None

    @property
    def got(self) -> int:
        return sum(stream.got for stream in self.report.streams)

    @property
    def lost(self) -> int:
        return sum(stream.lost for stream in self.report.streams)

    @property
    def failures(self) -> list[str]:
        return [stream.failed for stream in self.report.streams if stream.failed]

    @property
    def disordered(self) -> int:
        return sum(stream.disordered for stream in self.report.streams)

    @property
    def is_whole(self) -> bool:
        return not (self.lost or self.failures or self.disordered)

    def first(self, share: float) -> float:
        """Milliseconds from sending a message to the first token."""
        return percentile([stream.first for stream in self.report.streams], share) * 1000

    def posted(self, share: float) -> float:
        """Milliseconds until the message was accepted."""
        return percentile([stream.posted for stream in self.report.streams], share) * 1000

    def delay(self, share: float) -> float:
        """Milliseconds from the model's sending of a token to its arrival."""
        return percentile(all_delays(self.report), share)

    def memory(self, part: str) -> float:
        """MB of one part at the end."""
        return self.usage.memory[part] if self.usage else 0.0

    @property
    def most_at_once(self) -> float:
        """How many streams went on at the same time, as they begin one after another."""
        return STARTS_PER_SECOND * self.order.tokens / self.order.rate

    @property
    def shares(self) -> str:
        """Milliseconds per token of each part."""
        parts = self.usage.cpu.items() if self.usage else ()
        return ", ".join(f"{name} {seconds * 1000 / max(self.got, 1):.3f}" for name, seconds in parts)

    @property
    def cpu_per_token(self) -> float:
        """Milliseconds over all processes of Zerg, its broker and its database, from before the first message."""
        return self.usage.cpu_in_all * 1000 / max(self.got, 1) if self.usage else 0.0

    def __str__(self) -> str:
        said = [
            f"{self.order.door} C={self.order.streams}: {self.got} tokens, {self.lost} lost, "
            f"{self.disordered} disordered, {len(self.failures)} failed",
            f"ttft p50 {self.first(0.5):.1f} p95 {self.first(0.95):.1f} ms",
            f"delay p50 {self.delay(0.5):.1f} p99 {self.delay(0.99):.1f} ms",
        ]
        if self.usage:
            memory = ", ".join(f"{name} {size:.0f}" for name, size in self.usage.memory.items())
            said += [
                f"POST p50 {self.posted(0.5):.1f} p99 {self.posted(0.99):.1f} ms",
                f"cpu {self.cpu_per_token:.3f} ms/token ({self.shares})",
                f"memory MB ({memory})",
            ]
        return "; ".join([*said, *self.failures[:2]])


def direct(stack: Stack, streams: int, seconds: float) -> Measured:
    """The same load on the model's own server."""
    order = Order("direct", streams, int(seconds * RATE), RATE, streams / STARTS_PER_SECOND, [stack.model_url])
    with client(order) as begin:
        return Measured(order, begin(), None)


def through(stack: Stack, door: Door, streams: int, seconds: float) -> Measured:
    """A load on Zerg, each stream with one viewer."""
    threads = new_threads(stack, streams)
    token = stack.accounts.token
    order = Order(door, streams, int(seconds * RATE), RATE, streams / STARTS_PER_SECOND, [stack.base], token, threads)
    with client(order) as begin:
        meter = Meter(stack)
        report = begin()
        return Measured(order, report, meter.read())


def measure(*, quick: bool, databases: tuple[str, ...] = DATABASES) -> list[Row]:
    """The rows of live streams. Quick: a few seconds, to see that it works and that nothing is lost."""
    rows: list[Row] = []
    for name in databases:
        with zerg(name) as stack:
            through(stack, "page", 4, 1)  # whatever is made at the first use is made
            rows += _quick(stack, name) if quick else _whole(stack, name)
    return rows


def _quick(stack: Stack, name: str) -> list[Row]:
    return [_all_arrives(through(stack, door, 5, 2), name) for door in ("api", "page")]


def _whole(stack: Stack, name: str) -> list[Row]:
    alone, crowd = _first_tokens(stack, name, 1, 15, rounds=ALONE), _first_tokens(stack, name, 50, 30)
    fifty, hundred = _told(through(stack, "page", 50, SECONDS)), _told(through(stack, "page", 100, SECONDS))
    two_hundred = _told(through(stack, "page", 200, 2 * SECONDS))
    return [
        alone,
        crowd,
        Row(
            f"{name}: delay of a token, C=50, p50 / p99",
            "40 + 25 / 80 ms",
            f"{fifty.delay(0.5):.1f} / {fifty.delay(0.99):.1f} ms",
            fifty.delay(0.5) <= 65 and fifty.delay(0.99) <= 80,
        ),
        Row(
            f"{name}: CPU per token, C=50, all processes",
            "0.25 ms",
            f"{fifty.cpu_per_token:.3f} ms ({fifty.shares})",
            fifty.cpu_per_token <= 0.25,
        ),
        Row(
            f"{name}: CPU per token, C=200",
            f"{max(fifty.cpu_per_token, 0.001):.3f} ms, as at C=50",
            f"{two_hundred.cpu_per_token:.3f} ms ({two_hundred.shares})",
            two_hundred.cpu_per_token <= fifty.cpu_per_token,
        ),
        Row(
            f"{name}: POST of a message to 201, C=50, p50 / p99",
            "15 / 60 ms",
            f"{fifty.posted(0.5):.1f} / {fifty.posted(0.99):.1f} ms",
            fifty.posted(0.5) <= 15 and fifty.posted(0.99) <= 60,
        ),
        Row(
            f"{name}: memory at C=100, web / worker",
            "150 / 150 MB",
            f"{hundred.memory('web'):.0f} / {hundred.memory('worker'):.0f} MB",
            max(hundred.memory("web"), hundred.memory("worker")) <= 150,
        ),
        *(_all_arrives(measured, name) for measured in (fifty, hundred, two_hundred)),
    ]


def _first_tokens(stack: Stack, name: str, streams: int, target: float, rounds: int = 1) -> Row:
    """Of ``rounds`` loads, one after another: of one at a time a single run would be a matter of luck."""
    seconds = 5 if rounds == 1 else 1
    straight = median(_told(direct(stack, streams, seconds)).first(0.5) for _ in range(rounds))
    zergs = median(_told(through(stack, "page", streams, seconds)).first(0.5) for _ in range(rounds))
    added = zergs - straight
    said = f"{added:.1f} ms ({zergs:.1f} against {straight:.1f}, x{zergs / straight:.1f})"
    return Row(f"{name}: added time to first token, C={streams}, p50", f"{target:.0f} ms", said, added <= target)


def _all_arrives(measured: Measured, name: str) -> Row:
    """Nothing lost, nothing failed, nothing out of order, and as fast as it was written."""
    offered = measured.order.rate * min(measured.order.streams, measured.most_at_once)
    return Row(
        f"{name}: {measured.order.streams} streams on the {measured.order.door} socket, lost / failed / reordered",
        "0 / 0 / 0",
        f"{measured.lost} / {len(measured.failures)} / {measured.disordered} of {measured.got + measured.lost} tokens "
        f"at up to {offered:.0f} a second",
        measured.is_whole,
    )


def _told(measured: Measured) -> Measured:
    print(f"  {measured}", flush=True)
    return measured
