"""The answer to a form that fails the check against cross-site forms: the page's own, if it has one.

Who presses a link's button in the middle of the night must be told what to do instead.
"""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.csrf import csrf_failure


def refused(request: HttpRequest, reason: str = "", **options: Any) -> HttpResponse:
    match = request.resolver_match
    page: Any = getattr(match.func, "view_class", None) if match else None
    if match is None or not hasattr(page, "forgery_refused"):
        return csrf_failure(request, reason, **options)
    view = page()
    view.setup(request, *match.args, **match.kwargs)
    answer: HttpResponse = view.forgery_refused(**match.kwargs)
    return answer
