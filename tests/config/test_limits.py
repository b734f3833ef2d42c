"""What a process gives back to the system."""

import platform
import subprocess
import sys

import pytest

# The size that is a mapping of its own grows with what is freed; and what is pinned lies between the blocks.
PROGRAM = """
import sys
import psutil
from config.limits import give_back_large_blocks

if sys.argv[1] == "yes":
    give_back_large_blocks()
b" " * 4_000_000
before = psutil.Process().memory_info().rss
blocks, pinned = [], []
for number in range(200):
    blocks.append(b"%d" % number * 100_000)
    pinned.append(b"%d" % number * 1_000)
blocks.clear()
print((psutil.Process().memory_info().rss - before) // 1_000_000)
"""


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="Another C library than glibc: nothing to set.")
def test_large_blocks_go_back_when_they_are_freed() -> None:
    assert grown_by("yes") < 5 < grown_by("no")


def grown_by(is_set: str) -> int:
    command = [sys.executable, "-c", PROGRAM, is_set]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
