"""What the staff set for a shop."""

from typing import Any

from accounts.models import Shop


def shop_update(*, shop: Shop, **changes: Any) -> Shop:
    """Change how a shop's alerts are told. It counts for whatever is fanned out from now on.

    Raises:
        ValidationError: a value is not acceptable, by field.
    """
    for name, value in changes.items():
        setattr(shop, name, value)
    shop.clean_fields()
    shop.save(update_fields=[*changes])
    return shop
