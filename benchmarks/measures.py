"""What is measured, and how. Each function returns the figures of one target in one turn."""

from collections.abc import Callable, Mapping

from attrs import frozen

from benchmarks.bench import Bench
from benchmarks.body import Shape
from benchmarks.job import Job, Outcome
from benchmarks.plan import Plan
from benchmarks.targets import Target

Figures = Mapping[str, float | None]
_SMALL = Shape(size=20_000, tools=3)


@frozen
class Scale:
    """How long a turn takes.

    requests: answers for the cost of a request. seconds: of each paced measure. deltas: in each of four burst
    streams (fewer where a target is slow).
    """

    requests: int = 30
    seconds: float = 2.5
    deltas: int = 20_000


@frozen
class Measure:
    """A named group of figures.

    turns: how often each target has its turn in a round; many short turns tell more on a machine with other
    work. thorough: only for the targets that take part in everything.
    """

    name: str
    take: Callable[[Bench, Target, Scale], Figures]
    turns: int = 1
    thorough: bool = False


def requests(bench: Bench, target: Target, scale: Scale) -> Figures:
    """One request after another with the usual body and a short answer."""
    outcome, cpu = _requests(bench, target, Shape(), scale.requests)
    return {"first_ms": outcome.first, "cpu_request_ms": cpu}


def bursts(bench: Bench, target: Target, scale: Scale) -> Figures:
    """Four streams as fast as they go. Long minus short streams leaves the cost of the deltas alone."""
    probe = bench.run(target, Job(shape=_SMALL, plan=Plan(500, 64), requests=4, concurrency=4))
    per_stream = min(scale.deltas, max(500, int((probe.deltas_per_second or 0) / 4)))
    short, long = (
        Job(shape=_SMALL, plan=Plan(n, 64), requests=4, concurrency=4) for n in (per_stream // 10, per_stream)
    )
    _, cpu_short = bench.account(target, short)
    outcome, cpu_long = bench.account(target, long)
    more = 4 * (long.plan.deltas - short.plan.deltas)
    cost = None if cpu_short is None or cpu_long is None else (cpu_long - cpu_short) / more * 1e6
    return {"cpu_delta_us": cost, "deltas_per_s": outcome.deltas_per_second}


def paced(streams: int, rate: float) -> Callable[[Bench, Target, Scale], Figures]:
    """Time on the way of each delta while `streams` streams are open at `rate` deltas a second each."""

    def take(bench: Bench, target: Target, scale: Scale) -> Figures:
        if streams > target.most_streams:
            return {}
        outcome, cpu = bench.account(target, paced_job(streams, rate, scale))
        per_delta = None if cpu is None or not outcome.deltas else cpu / outcome.deltas * 1e6
        name = f"paced{streams}"
        return {
            f"{name}_p50_ms": outcome.p50,
            f"{name}_p99_ms": outcome.p99,
            f"{name}_cpu_delta_us": per_delta,
        }

    return take


def fresh(bench: Bench, target: Target, scale: Scale) -> Figures:
    """A new process: time to its first 200, memory at rest, and memory of each further open stream."""
    if target.launch is None:
        return {}
    new = Target(target.name, launch=target.launch)
    try:
        cold = new.start(bench.folder / f"{target.name}-fresh", bench.places.proxy)
        idle = new.memory()
        open_at: list[float | None] = []
        for streams in (20, 120):
            plan = Plan(deltas=6, burst=1, rate=2)
            job = Job(plan=plan, requests=streams, concurrency=streams, ramp=streams / 120, timeout=120)
            bench.run(new, job, on_open=lambda: open_at.append(new.memory()))
    finally:
        new.stop()
    few, many = (*open_at, None, None)[:2]
    stream = None if few is None or many is None else (many - few) / 100
    return {"cold_s": cold, "idle_mb": idle, "stream_mb": stream}


def body_size(bench: Bench, target: Target, scale: Scale) -> Figures:
    """140 KB against 10 MB of the same structure, in the same round."""
    small, large = Shape(), Shape(size=10_000_000)
    few = max(3, scale.requests // 6)
    _, cpu_small = _requests(bench, target, small, scale.requests)
    outcome, cpu_large = _requests(bench, target, large, few)
    linear = cpu_large / cpu_small * small.size / large.size if cpu_small and cpu_large else None
    return {"first_10mb_ms": outcome.first, "cpu_10mb_ms": cpu_large, "linear_10mb": linear}


def history(bench: Bench, target: Target, scale: Scale) -> Figures:
    """The cost of a request with 10, 100 and 1,000 tool turns of one kilobyte each."""
    few = max(5, scale.requests // 3)
    costs = {
        n: _requests(bench, target, Shape(size=95_000 + n * 1000, turns=n), few)[1] for n in (10, 100, 1000)
    }
    return {f"history{n}_ms": cost for n, cost in costs.items()}


def tools(bench: Bench, target: Target, scale: Scale) -> Figures:
    """The cost of a request with 5, 25 and 125 tools of three kilobytes each."""
    few = max(5, scale.requests // 3)
    costs = {
        n: _requests(bench, target, Shape(size=30_000 + n * 3200, tools=n, turns=5), few)[1]
        for n in (5, 25, 125)
    }
    return {f"tools{n}_ms": cost for n, cost in costs.items()}


def chunks(bench: Bench, target: Target, scale: Scale) -> Figures:
    """The CPU of a delta when 1, 4, 16 or 64 come in one write: 20 streams, 50 writes a second each."""
    return {f"chunk{burst}_us": _chunk_cost(bench, target, scale, burst) for burst in (1, 4, 16, 64)}


def _chunk_cost(bench: Bench, target: Target, scale: Scale, burst: int) -> float | None:
    """Microseconds of CPU a delta; long minus short streams, so that requests do not count."""
    spent: list[tuple[int, float]] = []
    for writes in (int(10 * scale.seconds), int(50 * scale.seconds)):
        plan = Plan(deltas=burst * writes, burst=burst, rate=50.0 * burst)
        job = Job(shape=_SMALL, plan=plan, requests=20, concurrency=20, ramp=0.2)
        outcome, cpu = bench.account(target, job)
        spent.append((outcome.deltas, cpu or 0.0))
    (few, cpu_few), (many, cpu_many) = spent
    return (cpu_many - cpu_few) / (many - few) * 1e6 if cpu_few and many > few else None


def counting(bench: Bench, target: Target, scale: Scale) -> Figures:
    """count_tokens of 200,000 characters: alone, and 50 a second with what that does to 100 paced streams."""
    if not target.counts_tokens:
        return {}
    alone = bench.run(target, Job(requests=0, concurrency=0, counts=20))
    quiet, _ = bench.account(target, paced_job(100, 50, scale))
    beside, _ = bench.account(target, paced_job(100, 50, scale, counts=50))
    return {
        "count_ms": alone.count,
        "count_beside_ms": beside.count,
        "uncounted_p99_ms": quiet.p99,
        "counted_p99_ms": beside.p99,
        "counting_effect": beside.p99 / quiet.p99 if beside.p99 and quiet.p99 else None,
    }


def paced_job(streams: int, rate: float, scale: Scale, counts: int = 0) -> Job:
    """Paced streams that are all open for `scale.seconds`."""
    ramp = streams / 200
    plan = Plan(deltas=int(rate * (scale.seconds + ramp + 0.5)), burst=1, rate=rate)
    return Job(plan=plan, requests=streams, concurrency=streams, ramp=ramp, counts=counts, timeout=120)


def _requests(bench: Bench, target: Target, shape: Shape, number: int) -> tuple[Outcome, float | None]:
    """A sequence of requests, and the CPU milliseconds of each."""
    outcome, cpu = bench.account(target, Job(shape=shape, plan=Plan(4, 4), requests=number, concurrency=1))
    return outcome, None if cpu is None or not outcome.answered else cpu / outcome.answered * 1000


MEASURES = (
    Measure("requests", requests, turns=6),
    Measure("bursts", bursts, turns=6),
    Measure("paced20", paced(20, 50)),
    Measure("paced100", paced(100, 50), turns=2),
    Measure("paced500", paced(500, 10), turns=2),
    Measure("fresh", fresh),
    Measure("size", body_size, thorough=True),
    Measure("history", history, thorough=True),
    Measure("tools", tools, thorough=True),
    Measure("chunks", chunks, thorough=True),
    Measure("counting", counting, thorough=True),
)
QUICK = ("requests", "bursts", "paced20", "paced100", "paced500", "fresh")
