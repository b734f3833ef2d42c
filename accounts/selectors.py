"""Who there is, for those who may see it."""

from django.db.models import Q, QuerySet

from accounts.models import User


def users_all() -> QuerySet[User]:
    """Everybody, for the staff."""
    return User.objects.all()


def users_found(users: QuerySet[User], text: str) -> QuerySet[User]:
    """Those whose email or names have each of these words in them."""
    for word in text.split():
        users = users.filter(
            Q(email__icontains=word) | Q(first_name__icontains=word) | Q(last_name__icontains=word)
        )
    return users
