"""What a check of readiness found."""

from dataclasses import dataclass
from typing import Final

#: Begins the detail of what is in order here, and yet is to be looked at.
WARNING: Final = "warning: "


@dataclass(frozen=True, slots=True)
class Finding:
    ok: bool
    detail: str
