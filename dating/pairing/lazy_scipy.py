"""scipy, loaded when an evening is first planned: it takes half a second, which no start should wait for."""

from functools import cache
from importlib import import_module
from typing import Any


@cache
def optimize() -> Any:
    return import_module("scipy.optimize")


@cache
def sparse() -> Any:
    return import_module("scipy.sparse")


@cache
def csgraph() -> Any:
    return import_module("scipy.sparse.csgraph")
