"""The paths at which other systems report, as their unchanged clients use them."""
