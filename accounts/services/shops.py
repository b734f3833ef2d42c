"""What the staff set for a shop."""

from typing import Any

from django.core.exceptions import ValidationError
from django.utils.text import slugify
from django.utils.translation import gettext

from accounts.models import Shop


def shop_make(*, name: str) -> Shop:
    """Make a shop, which alerts name by its name, or by the slug that is made of it.

    Raises:
        ValidationError: the name, or its slug, is taken, or has no letter or digit for a slug.
    """
    shop = Shop(name=name.strip(), slug=slugify(name)[:100].strip("-"))
    if not shop.slug:
        raise ValidationError({"name": gettext("Use at least one letter from a to z, or a digit.")})
    try:
        shop.full_clean()
    except ValidationError as error:
        raise ValidationError({"name": [each for found in error.error_dict.values() for each in found]})
    shop.save(force_insert=True)
    return shop


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
