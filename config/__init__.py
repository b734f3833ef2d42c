"""Settings, routes, schedule, processes and embedded servers; importing any of it settles time zones."""

from config import zones

# Here, since every process begins with this package, and before anything asks for a zone.
zones.use_package()
