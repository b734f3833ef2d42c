"""scipy, loaded when an evening is first planned: it takes half a second, which no start should wait for."""

from functools import partial
from importlib import import_module

optimize = partial(import_module, "scipy.optimize")
sparse = partial(import_module, "scipy.sparse")
csgraph = partial(import_module, "scipy.sparse.csgraph")
