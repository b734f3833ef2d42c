"""Where the links lead, with or without the slash at the end: no POST may meet a redirect."""

from django.urls import path

from notifications.web.unsubscribe.views import UnsubscribePage

urlpatterns = [
    path("unsubscribe/<str:token>/", UnsubscribePage.as_view(), name="unsubscribe"),
    path("unsubscribe/<str:token>", UnsubscribePage.as_view()),
]
