"""A set of device numbers in few bytes: sorted, the steps between them, compressed."""

import zlib

import numpy as np
from numpy.typing import NDArray


def packed(devices: NDArray[np.integer]) -> bytes:
    """Pack distinct device numbers, in any order."""
    steps = np.diff(np.sort(devices).astype("<i4"), prepend=np.int32(0))
    # Byte by byte of all of them, so that the zeros of small steps stand together.
    return zlib.compress(steps.astype("<i4").view(np.uint8).reshape(-1, 4).T.tobytes(), level=1)


def unpacked(data: bytes) -> NDArray[np.int32]:
    """Return what was packed, sorted."""
    planes = np.frombuffer(zlib.decompress(data), dtype=np.uint8).reshape(4, -1)
    return np.cumsum(np.ascontiguousarray(planes.T).view("<i4").ravel(), dtype=np.int32)
