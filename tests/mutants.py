"""`make mutate`: faults put into the product on purpose, one at a time. Does a test turn red for each?

In a copy of what is committed. Each fault is of a kind that people make: a comparison off by one or turned
round, an ``and`` for an ``or``, a ``not`` forgotten, a sign turned, a call left out. The tests nearest to the
file run first, then the app's, then all others but flows and slow ones; the first that fails ends it.
Survivors are listed with file and line: write the missing test, or delete the code that nobody would miss.
"""

import argparse
import ast
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
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
LEAST_RED: Final = 0.9
WITHIN_S: Final = 900


@dataclass(frozen=True, slots=True)
class Mutant:
    """A fault: where and of which kind it is, and the source of the whole file with it."""

    path: Path
    line: int
    what: str
    source: str

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
    for node in ast.walk(ast.parse(source)):
        for what, text in _changes(node):
            first = starts[node.lineno - 1] + node.col_offset  # type: ignore[attr-defined]
            end = starts[node.end_lineno - 1] + node.end_col_offset  # type: ignore[attr-defined]
            changed = (raw[:first] + text.encode() + raw[end:]).decode()
            yield Mutant(path, node.lineno, what, changed)  # type: ignore[attr-defined]


def _changes(node: ast.AST) -> Iterator[tuple[str, str]]:
    match node:
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


def tests_for(path: Path) -> list[list[str]]:
    """Return which tests to run, in turns: the nearest first."""
    app = path.parts[0]
    near = ROOT / "tests" / app / path.parts[1]
    turns = [[str(near.relative_to(ROOT))]] if near.is_dir() else []
    own = f"tests/{app}"
    others = [f"tests/{each.name}" for each in sorted((ROOT / "tests").iterdir()) if each.is_dir()]
    left = [each for each in others if each != own and not each.endswith(("__", "/servers", "/flows"))]
    return [*turns, [own], left]


def is_found(mutant: Mutant, copy: Path) -> bool:
    """Whether a test turns red."""
    target = copy / mutant.path
    kept = target.read_text()
    target.write_text(mutant.source)
    try:
        return any(_fails(tests, copy) for tests in tests_for(mutant.path))
    finally:
        target.write_text(kept)


def _fails(tests: Sequence[str], copy: Path) -> bool:
    command = [PYTHON, "-m", "pytest", "-q", "-x", "-n", "2", "--no-header"]
    try:
        done = subprocess.run(
            [*command, "-m", "not flow and not slow", *tests],
            cwd=copy,
            env=_environment(copy),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=WITHIN_S,
        )
    except subprocess.TimeoutExpired:
        return True
    return done.returncode not in (0, 5)  # 5: these tests are all flows or slow


def _environment(copy: Path) -> dict[str, str]:
    return {**os.environ, "TOCSIN_HOME": str(copy / "var/test")}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--number", type=int, default=60)
    parser.add_argument("--seed", type=int, default=random.randrange(10_000))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    survivors = []
    with tempfile.TemporaryDirectory(prefix="tocsin-mutants-") as folder:
        copy = Path(folder) / "copy"
        subprocess.run(["git", "clone", "-q", str(ROOT), str(copy)], check=True)
        (copy / ".venv").symlink_to(ROOT / ".venv")
        drawn = sample(options.number, options.seed)
        for count, mutant in enumerate(drawn, 1):
            found = is_found(mutant, copy)
            print(f"{count:>3} {'red  ' if found else 'GREEN'} {mutant}", flush=True)
            if not found:
                survivors.append(mutant)
        subprocess.run(
            [PYTHON, "-m", "config.embedded", "stop"], cwd=copy, env=_environment(copy), check=False
        )
    share = 1 - len(survivors) / len(drawn)
    print(
        f"{len(drawn) - len(survivors)} of {len(drawn)} turned a test red ({share:.0%}; seed {options.seed})"
    )
    return 0 if share >= LEAST_RED else 1


if __name__ == "__main__":
    sys.exit(main())
