"""The figures of a run: their names for people, their units, and what is asked of them."""

from collections.abc import Mapping, Sequence

from attrs import define, field, frozen

from benchmarks.summary import middle, ratio

Rounds = dict[str, list[float | None]]

# Key of a figure: what it says, and how many decimals are worth showing.
LABELS: Mapping[str, tuple[str, int]] = {
    "first_ms": ("time to first text, 140 KB (ms)", 2),
    "cpu_request_ms": ("CPU a request, 140 KB (ms)", 2),
    "cpu_delta_us": ("CPU a delta in bursts (µs)", 2),
    "deltas_per_s": ("deltas a second in bursts", 0),
    "paced20_p50_ms": ("20 streams x 50/s: latency p50 (ms)", 2),
    "paced20_p99_ms": ("20 streams x 50/s: latency p99 (ms)", 2),
    "paced100_p50_ms": ("100 streams x 50/s: latency p50 (ms)", 2),
    "paced100_p99_ms": ("100 streams x 50/s: latency p99 (ms)", 2),
    "paced500_p50_ms": ("500 streams x 10/s: latency p50 (ms)", 2),
    "paced500_p99_ms": ("500 streams x 10/s: latency p99 (ms)", 2),
    "paced20_cpu_delta_us": ("20 streams: CPU a delta, request included (µs)", 1),
    "paced100_cpu_delta_us": ("100 streams: CPU a delta, request included (µs)", 1),
    "paced500_cpu_delta_us": ("500 streams: CPU a delta, request included (µs)", 1),
    "cold_s": ("start to first 200 (s)", 3),
    "idle_mb": ("memory at rest (MB)", 1),
    "stream_mb": ("memory of a further open stream (MB)", 3),
    "first_10mb_ms": ("time to first text, 10 MB (ms)", 1),
    "cpu_10mb_ms": ("CPU a request, 10 MB (ms)", 1),
    "linear_10mb": ("10 MB against 140 KB, 1 = linear", 2),
    "history10_ms": ("CPU a request, 10 tool turns (ms)", 2),
    "history100_ms": ("CPU a request, 100 tool turns (ms)", 2),
    "history1000_ms": ("CPU a request, 1,000 tool turns (ms)", 2),
    "tools5_ms": ("CPU a request, 5 tools (ms)", 2),
    "tools25_ms": ("CPU a request, 25 tools (ms)", 2),
    "tools125_ms": ("CPU a request, 125 tools (ms)", 2),
    "chunk1_us": ("CPU a delta, 1 in each write (µs)", 2),
    "chunk4_us": ("CPU a delta, 4 in each write (µs)", 2),
    "chunk16_us": ("CPU a delta, 16 in each write (µs)", 2),
    "chunk64_us": ("CPU a delta, 64 in each write (µs)", 2),
    "count_ms": ("count_tokens, 200,000 characters (ms)", 2),
    "count_beside_ms": ("the same, 50/s beside 100 streams (ms)", 2),
    "uncounted_p99_ms": ("latency p99 without counting (ms)", 2),
    "counted_p99_ms": ("latency p99 while counting (ms)", 2),
    "counting_effect": ("p99 while counting / without", 2),
}


@define
class Results:
    """All figures of a run: for each target and figure one value a round."""

    rounds: dict[str, Rounds] = field(factory=dict)

    def add(self, target: str, figures: Mapping[str, float | None]) -> None:
        """Append the figures of one round."""
        for name, value in figures.items():
            self.rounds.setdefault(target, {}).setdefault(name, []).append(value)

    def median(self, target: str, figure: str) -> float | None:
        """The median over the rounds; None when it was not measured."""
        return middle(self.rounds.get(target, {}).get(figure, ()))

    def ratio(self, target: str, base: str, figure: str) -> float | None:
        """The median of target / base, taken round by round."""
        return ratio(self.rounds.get(target, {}).get(figure, ()), self.rounds.get(base, {}).get(figure, ()))


@frozen
class Bar:
    """A demand on a figure of `target`, divided by that of `base` if given."""

    target: str
    figure: str
    base: str = ""
    most: float | None = None
    least: float | None = None

    def judge(self, results: Results) -> tuple[float, bool] | None:
        """The value and whether it satisfies; None when it was not measured in this run."""
        if self.base:
            value = results.ratio(self.target, self.base, self.figure)
        else:
            value = results.median(self.target, self.figure)
        if value is None:
            return None
        return value, (self.most is None or value <= self.most) and (
            self.least is None or value >= self.least
        )


NOISE = 1.05  # two equal programs differ by this much between runs
_COMPARED = ("first_ms", "cpu_request_ms", "cpu_delta_us", "paced100_p99_ms", "paced500_p99_ms")
BARS: Sequence[Bar] = (
    Bar("ccp-chat", "first_ms", "reference", most=1.6),
    Bar("ccp-chat", "cpu_request_ms", "reference", most=1.6),
    Bar("ccp-chat", "cpu_delta_us", "reference", most=1.6),
    Bar("ccp-chat", "paced100_p99_ms", "reference", most=1.5),
    Bar("ccp-chat", "paced500_p99_ms", "reference", most=1.5),
    *(Bar("ccp-messages", figure, "ccp-chat", most=NOISE) for figure in _COMPARED),
    Bar("litellm", "cpu_request_ms", "ccp-chat", least=20),
    Bar("ccp-chat", "deltas_per_s", "litellm", least=80),
    *(Bar(f"ccp-{transport}", "idle_mb", most=75) for transport in ("chat", "messages")),
    *(Bar(f"ccp-{transport}", "stream_mb", "reference", most=NOISE) for transport in ("chat", "messages")),
    *(Bar(f"ccp-{transport}", "cold_s", most=0.6) for transport in ("chat", "messages")),
    *(Bar(f"ccp-{transport}", "linear_10mb", most=1.3) for transport in ("chat", "messages")),
    *(Bar(f"ccp-{transport}", "count_ms", most=20) for transport in ("chat", "messages")),
    *(Bar(f"ccp-{transport}", "counting_effect", most=1.25) for transport in ("chat", "messages")),
)
