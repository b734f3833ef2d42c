"""Who meets whom: groups, rounds, and the next round when somebody is missing. Pure, deterministic."""

from dating.pairing.best import best_dates
from dating.pairing.filling import filled_up
from dating.pairing.grouping import groups
from dating.pairing.people import Person, pair_score

__all__ = ["Person", "best_dates", "filled_up", "groups", "pair_score"]
