"""What every benchmark ends with: a table, the musts, and one line of JSON for machines."""

import argparse
import json
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import FrameType

from benchmarks import machine

INTERRUPTED = 130
STOPPING = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True)
class Report:
    """The result of one benchmark. In ``ratios`` more is better; ``musts`` are as the issue states them."""

    name: str
    unit: str
    ours: float
    baselines: dict[str, float]
    ratios: dict[str, float]
    musts: dict[str, bool] = field(default_factory=dict)

    def as_json(self) -> str:
        return json.dumps(
            {
                "name": self.name,
                "unit": self.unit,
                "ours": significant(self.ours),
                "baselines": {name: significant(value) for name, value in self.baselines.items()},
                "ratios": {name: significant(value) for name, value in self.ratios.items()},
                "musts": self.musts,
            },
            ensure_ascii=False,
        )


def significant(value: float, digits: int = 4) -> float:
    """Round to so many significant digits: what a benchmark can know."""
    return float(f"{value:.{digits}g}")


def say(text: str) -> None:
    """Show progress at once, also through a pipe."""
    print(text, flush=True)


def table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows under headers: the first column to the left, the others to the right."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(line[column]) for line in [list(headers), *cells]) for column in range(len(headers))]
    say("")
    for line in [list(headers), ["-" * width for width in widths], *cells]:
        aligned = [
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        say("  ".join(aligned).rstrip())
    say("")


def parser(description: str | None) -> argparse.ArgumentParser:
    """The options that all benchmarks share."""
    made = argparse.ArgumentParser(
        description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    made.add_argument("--strict", action="store_true", help="exit with 1 when a must is missed")
    return made


def run(benchmark: Callable[[argparse.Namespace], Report], options: argparse.Namespace) -> int:
    """Run a benchmark, print its result, and return the exit code of the process."""
    for number in STOPPING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)
    for line in machine.describe():
        say(line)
    say("")
    try:
        result = benchmark(options)
    except KeyboardInterrupt:
        print("interrupted; everything that was started has been stopped", file=sys.stderr)
        return INTERRUPTED
    for must, reached in result.musts.items():
        say(f"{'reached' if reached else 'MISSED '}  {must}")
    say(result.as_json())
    return 1 if options.strict and not all(result.musts.values()) else 0


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Unwind the context managers, which clean up; an impatient second Ctrl-C must not stop that."""
    for each in STOPPING:
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt
