"""Model instances that know which of their fields a save changed."""

from collections.abc import Collection, Container, Iterable
from typing import Any, ClassVar, Self

from django.db import models


class TracksChanges(models.Model):
    """``changed_fields`` says, to receivers of ``post_save``, which of ``TRACKED`` that save changed.

    Nothing at creation, and nothing of what ``QuerySet.update`` does. No tracked field may be null: None
    stands for "not loaded", and what is set without having been loaded counts as changed.
    """

    TRACKED: ClassVar[tuple[str, ...]] = ()
    changed_fields: tuple[str, ...] = ()
    _stored: tuple[Any, ...] = ()

    class Meta:
        abstract = True

    def save(self, *, update_fields: Iterable[str] | None = None, **options: Any) -> None:
        update_fields = None if update_fields is None else set(update_fields)
        self.changed_fields = self.changes(update_fields)
        super().save(update_fields=update_fields, **options)
        self._remember(update_fields)

    @classmethod
    def from_db(
        cls, db: str | None, field_names: Collection[str], values: Collection[Any], **options: Any
    ) -> Self:
        instance = super().from_db(db, field_names, values, **options)
        instance._stored = tuple(map(instance.__dict__.get, cls.TRACKED))
        return instance

    def refresh_from_db(
        self, using: str | None = None, fields: Iterable[str] | None = None, from_queryset: Any = None
    ) -> None:
        fields = None if fields is None else set(fields)
        super().refresh_from_db(using, fields, from_queryset)
        self._remember(fields)

    def changes(self, fields: Container[str] | None = None) -> tuple[str, ...]:
        """Return the tracked fields whose values differ from those in the database; of these only."""
        if self._state.adding:
            return ()
        return tuple(
            name
            for name, old in self._known()
            if (fields is None or name in fields) and self.__dict__.get(name) not in (None, old)
        )

    def stored(self, name: str) -> Any:
        """Return what the database has for a tracked field, as far as is known; None if it was not loaded."""
        return dict(self._known())[name]

    def _remember(self, fields: Container[str] | None) -> None:
        """Take the present values for what the database has; of these fields only, if any are given."""
        self._stored = tuple(
            self.__dict__.get(name) if fields is None or name in fields else old
            for name, old in self._known()
        )

    def _known(self) -> Iterable[tuple[str, Any]]:
        return zip(self.TRACKED, self._stored or (None,) * len(self.TRACKED), strict=True)
