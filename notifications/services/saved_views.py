"""Views of the console's history that people save under a name."""

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext

from accounts.models import User
from notifications.models import SavedView


def saved_view_save(*, user: User, name: str, query: str, is_shared: bool) -> SavedView:
    """Save a view, in the place of theirs of that name.

    Raises:
        ValidationError: they have as many as they may, or the query is too long.
    """
    with transaction.atomic():
        # One at a time, so that nobody gets past the limit.
        User.objects.select_for_update(no_key=True).get(pk=user.pk)
        view = SavedView.objects.filter(user=user, name=name).first() or SavedView(user=user, name=name)
        if view._state.adding and SavedView.objects.filter(user=user).count() >= SavedView.MOST:
            said = gettext("There are already %(most)d saved views. Remove one first.")
            raise ValidationError(said % {"most": SavedView.MOST})
        view.query, view.is_shared = query, is_shared
        view.full_clean()
        view.save()
    return view
