"""The routes of the pages about escalations."""

from django.urls import path

from escalation.web import views

app_name = "escalation"
urlpatterns = [
    # The original's API has this path too.
    path("escalations", views.escalations),
    path("escalations/", views.escalations, name="list"),
    path("escalations/<uuid:run_id>/", views.TimelinePage.as_view(), name="timeline"),
    path("escalations/<uuid:run_id>/acknowledge/", views.AcknowledgePage.as_view(), name="acknowledge"),
    path("escalations/<uuid:run_id>/stop/", views.StopPage.as_view(), name="stop"),
]
