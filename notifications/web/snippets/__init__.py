"""Code for those who receive our webhooks, as pages show it and tests run it."""

from pathlib import Path
from typing import Final

_HERE: Final = Path(__file__).parent

#: How to verify a webhook, by the language that it is in.
VERIFY: Final = {
    "Python": (_HERE / "verify.py.txt").read_text(),
    "Node": (_HERE / "verify.mjs.txt").read_text(),
    "Shell": (_HERE / "verify.sh.txt").read_text(),
}
