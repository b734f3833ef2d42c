"""What tests of the admin share."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db.models import Model
from django.db.models.signals import pre_save
from django.forms import MultiWidget
from django.urls import reverse

from notifications.models import Delivery

Make = Callable[..., Delivery]


def url(page: str, *args: object) -> str:
    return reverse(f"admin:{page}", args=args)


def form_data(page: Any) -> dict[str, Any]:
    """What a browser would send back of a page's form and its inlines."""
    forms = [page.context["adminform"].form]
    for inline in page.context["inline_admin_formsets"]:
        forms += [inline.formset.management_form, *inline.formset.initial_forms]
    data = {}
    for field in (form[name] for form in forms for name in form.fields):
        value = field.value()
        if isinstance(field.field.widget, MultiWidget):
            parts = field.field.widget.decompress(value)
            data |= {f"{field.html_name}_{number}": part for number, part in enumerate(parts) if part}
        elif value is not None and value is not False:
            data[field.html_name] = value
    return data


@contextmanager
def meanwhile(row: Model, **changes: Any) -> Iterator[None]:
    """Have somebody else change a row between a form's reading of it and its saving."""

    def change(instance: Model, **_: Any) -> None:
        type(row)._default_manager.filter(pk=row.pk).update(**changes)

    pre_save.connect(change, sender=type(row))
    try:
        yield
    finally:
        pre_save.disconnect(change, sender=type(row))
    row.refresh_from_db()
