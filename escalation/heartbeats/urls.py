"""Where pings and badges are, with or without the slash: no ping may meet a redirect."""

from django.urls import path

from escalation.heartbeats import views

_ROUTES = (
    ("ping/<uuid:ping_uuid>", views.ping, "ping"),
    ("ping/<uuid:ping_uuid>/<str:act>", views.ping, "ping-act"),
    ("ping/<str:ping_key>/<slug:slug>", views.ping_by_slug, "ping-slug"),
    ("ping/<str:ping_key>/<slug:slug>/<str:act>", views.ping_by_slug, "ping-slug-act"),
    ("badge/<str:signature>/<str:name>.<str:ending>", views.badge, "badge"),
)

urlpatterns = [
    path(f"{route}{slash}", view, name=name if slash else None)
    for route, view, name in _ROUTES
    for slash in ("/", "")
]
