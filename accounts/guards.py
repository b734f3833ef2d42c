"""Pages of libraries, which ask nobody for more than the staff's rank, kept for those of a right."""

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import URLPattern, reverse

from accounts.ranks import Rank, rank_of
from accounts.rights import Right, may

View = Callable[..., HttpResponseBase]


def kept_for(right: Right, patterns: Iterable[URLPattern]) -> list[URLPattern]:
    """Route the same views for people of this right alone; whoever is not on the staff is sent to log in."""
    kept = []
    for pattern in patterns:
        pattern.callback = _guarded(pattern.callback, right)
        kept.append(pattern)
    return kept


def _guarded(view: View, right: Right) -> View:
    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if rank_of(request.user) < Rank.STAFF:
            return redirect_to_login(request.get_full_path(), reverse("admin:login"))
        if not may(request.user, right):
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return guarded
