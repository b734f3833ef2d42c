"""A clock of its own for one process, which disagrees with all others."""

import shutil
import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_name("clock_ahead.c")


def fast_clock(ahead_s: int, *, build_in: Path) -> dict[str, str]:
    """Return the environment of a process whose clock is ahead; see ``has_compiler``."""
    library = build_in / "clock_ahead.so"
    if not library.exists():
        build_in.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", library, SOURCE], check=True)
    return {"LD_PRELOAD": str(library), "CLOCK_AHEAD_S": str(ahead_s)}


def has_compiler() -> bool:
    return shutil.which("cc") is not None
