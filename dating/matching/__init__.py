"""Matching: who shares a group, and which dates are the best. Pure functions, deterministic."""

from dating.matching.best import best_dates
from dating.matching.bound import total_score, upper_bound
from dating.matching.filling import filled_up
from dating.matching.grouping import groups
from dating.matching.people import Person, pair_score

__all__ = ["Person", "best_dates", "filled_up", "groups", "pair_score", "total_score", "upper_bound"]
