"""`make mutate`: faults put into the product on purpose, one at a time. Does a test turn red for each?

In copies of what is committed. Each fault is of a kind that people make: a comparison off by one or turned
round, an ``and`` for an ``or``, a ``not`` forgotten, a sign turned, a call left out. First all tests but
those of browsers run once, to see which functions each of them reaches. Then, for each fault, those that
reach its function run, the nearest and narrowest first, until one fails. For what no test reaches, since it
runs before any of them or in a process of its own, the tests that have to do with it run, then flows. A test
that fails without the fault too proves nothing. Survivors are listed with file and line: write the missing
test, or delete the code that nobody would miss.

Two kinds are left out, since nobody could notice: faults in what is only logged, and whether the present
moment itself counts as before or after another, since no two times are the same to the microsecond.
"""

import argparse
import ast
import json
import os
import random
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from queue import SimpleQueue
from typing import Final

from tests.packages import PACKAGES, ROOT

PYTHON: Final = str(ROOT / ".venv/bin/python")
#: Not the product: what shows it, and what has been run once and for all.
LEFT_OUT: Final = ("migrations", "demo.py", "scenes.py", "demo")
SWAPS: Final[dict[type[ast.AST], type[ast.AST]]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
}
ORDERS: Final = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
#: The present moment, in a comparison with another.
NOW: Final = re.compile(
    r"\bnow\b|\b(?:monotonic|elapsed)\(\)|\b(?:loop|time)\.time\(\)|clock(?:\(\))?\.timestamp\(\)"
)
LEAST_RED: Final = 0.9
#: For the tests of one fault. Not to be done by then is no failure: the machine may be busy.
WITHIN_S: Final = 900
#: Those that begin with the processes themselves, and no browser's.
FLOWS: Final = ("tests/config", "tests/flows")
#: How many tests run first, since most faults are found by then.
FIRST: Final = 40


@dataclass(frozen=True, slots=True)
class Mutant:
    """A fault: where and of which kind it is, and the source of the whole file with it.

    ``function`` is the first line of the function that it is in, or 0; ``about``, the files of the product
    that the names in it come from.
    """

    path: Path
    line: int
    function: int
    what: str
    source: str
    about: frozenset[str]

    def __str__(self) -> str:
        return f"{self.path}:{self.line} {self.what}"


def mutants_of(path: Path) -> Iterator[Mutant]:
    """Yield every fault of these kinds that can be put into a file."""
    source = (ROOT / path).read_text()
    lines = source.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line.encode()))
    raw = source.encode()
    tree = ast.parse(source)
    imported = dict(_imported(tree))
    for node, function in _placed(tree):
        for what, text in _changes(node):
            first = starts[node.lineno - 1] + node.col_offset  # type: ignore[attr-defined]
            end = starts[node.end_lineno - 1] + node.end_col_offset  # type: ignore[attr-defined]
            changed = (raw[:first] + text.encode() + raw[end:]).decode()
            about = frozenset(
                imported[each.id]
                for each in ast.walk(node)
                if isinstance(each, ast.Name) and each.id in imported
            )
            yield Mutant(path, node.lineno, function, what, changed, about)  # type: ignore[attr-defined]


def _imported(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield what a module imports from the product: each name, and the file that it comes from."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            folder = Path(*node.module.split("."))
            for alias in node.names:
                parts = (folder / alias.name, folder)
                files = (file for part in parts for file in (part.with_suffix(".py"), part / "__init__.py"))
                if file := next((each for each in files if (ROOT / each).exists()), None):
                    yield alias.asname or alias.name, str(file)


def _placed(node: ast.AST, function: int = 0) -> Iterator[tuple[ast.AST, int]]:
    """Yield a node and all below it, each with the first line of the function whose body it is in, or 0.

    What is only logged is left out.
    """
    if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("log."):
        return
    yield node, function
    for name, value in ast.iter_fields(node):
        within = function
        if name == "body" and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            within = min(each.lineno for each in [node, *getattr(node, "decorator_list", [])])
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, ast.AST):
                yield from _placed(each, within)


def _changes(node: ast.AST) -> Iterator[tuple[str, str]]:
    match node:
        case ast.Compare(ops=[op]) if isinstance(op, ORDERS) and NOW.search(ast.unparse(node)):
            return
        case ast.Compare(ops=[op]) if swap := SWAPS.get(type(op)):
            yield _named(op, swap), _written(ast.Compare(node.left, [swap()], node.comparators))  # type: ignore[list-item]
        case ast.BoolOp(op=op) | ast.BinOp(op=op) if swap := SWAPS.get(type(op)):
            yield _named(op, swap), _written(_with_op(node, swap()))
        case ast.UnaryOp(op=ast.Not()):
            yield "not left out", _written(node.operand)
        case ast.Expr(value=ast.Call(func=called)) if not ast.unparse(called).startswith("log."):
            yield f"call left out: {ast.unparse(node)[:60]}", "pass"


def _with_op(node: ast.BoolOp | ast.BinOp, op: ast.AST) -> ast.expr:
    if isinstance(node, ast.BoolOp):
        return ast.BoolOp(op, node.values)  # type: ignore[arg-type]
    return ast.BinOp(node.left, op, node.right)  # type: ignore[arg-type]


def _named(op: ast.AST, swap: type[ast.AST]) -> str:
    return f"{type(op).__name__} for {swap.__name__}"


def _written(node: ast.expr) -> str:
    """In brackets, so that it stands anywhere, over several lines too."""
    return f"({ast.unparse(node)})"


def sample(number: int, seed: int) -> list[Mutant]:
    """Draw faults: every place in the product's code is as likely as every other."""
    paths = [
        path.relative_to(ROOT)
        for package in sorted(PACKAGES)
        for path in sorted((ROOT / package).rglob("*.py"))
        if not set(path.parts) & set(LEFT_OUT)
    ]
    everywhere = [mutant for path in paths for mutant in mutants_of(path)]
    return random.Random(seed).sample(everywhere, min(number, len(everywhere)))


class Reached:
    """Which tests reach which functions, as tests.reached has written it into a folder."""

    def __init__(self, folder: Path) -> None:
        self._tests: defaultdict[str, set[str]] = defaultdict(set)
        self._breadth: dict[str, int] = {}
        for file in folder.glob("*.jsonl"):
            for test, functions in map(json.loads, file.read_text().splitlines()):
                self._breadth[test] = len(functions)
                for function in functions:
                    self._tests[function].add(test)
                    self._tests[function.partition(":")[0]].add(test)

    def by(self, mutant: Mutant) -> list[str]:
        """Return the tests that reach its function, the nearest and narrowest first.

        If there are none, those of the modules in which one reaches what it is about, or else its file; or
        else those of its package.
        """
        nearness = {test: _nearness(test, mutant.path) for test in self._breadth}
        chosen = (
            self._directly(mutant)
            or self._beside(mutant.about)
            or self._beside({str(mutant.path)})
            or {test for test, folders in nearness.items() if folders}
        )
        return sorted(chosen, key=lambda test: (-nearness[test], self._breadth[test], test))

    def is_any(self, mutant: Mutant) -> bool:
        """Return whether any test reaches its function."""
        return bool(self._directly(mutant))

    def _directly(self, mutant: Mutant) -> set[str]:
        return self._tests[f"{mutant.path}:{mutant.function}"]

    def _beside(self, files: Set[str]) -> set[str]:
        """Return the tests in whose module there is one that reaches any of these files."""
        modules = {_module(test) for file in files for test in self._tests[file]}
        return {test for test in self._breadth if _module(test) in modules}


def _module(test: str) -> str:
    return test.partition("::")[0]


def _nearness(test: str, path: Path) -> int:
    """How many folders they have in common."""
    pairs = zip(Path(test).parts[1:-1], path.parts[:-1], strict=False)
    return len(list(takewhile(lambda pair: pair[0] == pair[1], pairs)))


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of what is committed, with servers of its own."""

    root: Path

    def __post_init__(self) -> None:
        subprocess.run(["git", "clone", "-q", str(ROOT), str(self.root)], check=True)
        (self.root / ".venv").symlink_to((ROOT / ".venv").resolve())

    def record(self, folder: Path) -> None:
        """Run all tests but those of browsers, and have each write into the folder what it reaches."""
        done = self._pytest("-n", "auto", "--ignore", "tests/browser", "tests", REACHED_INTO=str(folder))
        # What a part of the tests reaches would make faults seem unnoticed that the others notice.
        if done is None or "passed" not in (ended := done.stdout.strip().rpartition("\n")[2]):
            raise SystemExit(f"Not all tests ran: {done and (done.stdout + done.stderr)[-500:]}")
        print(f"recorded: {ended}", flush=True)

    def first_failure(self, mutant: Mutant, reached: Reached) -> str:
        """Return what pytest says about the first test that fails with the fault; nothing if none does."""
        target, tests = self.root / mutant.path, reached.by(mutant)
        kept = target.read_text()
        target.write_text(mutant.source)
        try:
            turns = filter(None, (tests[:FIRST], tests[FIRST:]))
            failed: list[str] = next(filter(None, (self.failures(turn, "-x") for turn in turns)), [])
            if not failed and not reached.is_any(mutant):
                failed = _failures(self._pytest("-x", "-m", "flow", *FLOWS, within_s=WITHIN_S))
            return failed[0] if failed else ""
        finally:
            target.write_text(kept)

    def failures(self, tests: Sequence[str], *options: str) -> list[str]:
        """Run tests in this order; return a line on each that fails, or on why none could run."""
        order = self.root / "var/order"
        order.parent.mkdir(exist_ok=True)
        order.write_text("\n".join(tests))
        files = sorted({_module(test) for test in tests})
        return _failures(self._pytest(*options, *files, REACHED_ORDER=str(order), within_s=WITHIN_S))

    def _pytest(
        self, *options: str, within_s: float | None = None, **env: str
    ) -> subprocess.CompletedProcess[str] | None:
        try:
            return subprocess.run(
                [PYTHON, "-m", "pytest", "-q", "--no-header", "-p", "tests.reached", *options],
                cwd=self.root,
                env={**os.environ, **self._home(), **env},
                capture_output=True,
                text=True,
                timeout=within_s,
            )
        except subprocess.TimeoutExpired:
            return None

    def stop(self) -> None:
        command = [PYTHON, "-m", "config.embedded", "stop"]
        subprocess.run(command, cwd=self.root, env={**os.environ, **self._home()}, check=False)

    def _home(self) -> dict[str, str]:
        return {"TOCSIN_HOME": str(self.root / "var/test")}


def _failures(done: subprocess.CompletedProcess[str] | None) -> list[str]:
    if done is None or done.returncode in (0, 5):
        return []
    return re.findall("^(?:FAILED|ERROR) tests/.*", done.stdout, re.MULTILINE) or [
        f"pytest ended with {done.returncode}: {(done.stdout + done.stderr).strip()[-200:]!r}"
    ]


def survivors(drawn: Sequence[Mutant], reached: Path, copies: Sequence[Copy]) -> Iterator[Mutant]:
    """Try all faults, as many at once as there are copies; print what comes of each."""
    if not any(reached.glob("*.jsonl")):
        copies[0].record(reached)
    tests = Reached(reached)
    if failed := copies[0].failures(tests.by(drawn[0])[:1]):
        raise SystemExit(f"This fails without any fault: {failed[0]}")
    free: SimpleQueue[Copy] = SimpleQueue()
    for copy in copies:
        free.put(copy)

    def attempt(mutant: Mutant) -> str:
        copy = free.get()
        try:
            return copy.first_failure(mutant, tests)
        finally:
            free.put(copy)

    red = {}
    with ThreadPoolExecutor(len(copies)) as pool:
        for count, (mutant, failure) in enumerate(zip(drawn, pool.map(attempt, drawn), strict=True), 1):
            print(f"{count:>3} {'red  ' if failure else 'GREEN'} {mutant}   {failure[:200]}", flush=True)
            if failure:
                red[mutant] = failure
            else:
                yield mutant
    tests_red = sorted({_test(failure) for failure in red.values() if "::" in failure})
    without = {_test(line) for line in copies[0].failures(tests_red)} if tests_red else set()
    for mutant in (each for each, failure in red.items() if _test(failure) in without):
        print(f"GREEN after all, since the test fails without the fault too: {mutant}")
        yield mutant


def _test(failure: str) -> str:
    """Return the id in what pytest says about a test."""
    return failure.partition(" ")[2].partition(" - ")[0]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--number", type=int, default=60)
    parser.add_argument("--seed", type=int, default=random.randrange(10_000))
    parser.add_argument("--reached", type=Path, help="keep what the tests reach here, and use it")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="tocsin-mutants-") as folder:
        reached = (options.reached or Path(folder) / "reached").resolve()
        reached.mkdir(parents=True, exist_ok=True)
        copies = [Copy(Path(folder) / f"copy-{count}") for count in range(os.cpu_count() or 1)]
        drawn = sample(options.number, options.seed)
        try:
            left = list(survivors(drawn, reached, copies))
        finally:
            for copy in copies:
                copy.stop()
    red = len(drawn) - len(left)
    print(f"{red} of {len(drawn)} turned a test red ({red / len(drawn):.0%}; seed {options.seed})")
    return 0 if red >= LEAST_RED * len(drawn) else 1


if __name__ == "__main__":
    sys.exit(main())
