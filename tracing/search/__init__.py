"""Who was near whom, by degrees: the search of a whole batch of cases at once.

Each degree is one statement for all cases together, which reads the records of the devices first reached
in the degree before; what follows from them is worked out on arrays. ``tracing.reference`` says the same,
slowly and readably.
"""

from tracing.search.engine import TooFar, search
from tracing.search.seeds import Known, Reached, Seed
from tracing.search.watermark import devices_touched_since, watermark_now

__all__ = ["Known", "Reached", "Seed", "TooFar", "devices_touched_since", "search", "watermark_now"]
