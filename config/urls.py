"""Every route of the product. The hot ones, which systems post to, come first: each is looked for in turn."""

from django.contrib import admin
from django.urls import include, path
from django_rq.urls import urlpatterns as queue_pages
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView
from rest_framework.negotiation import DefaultContentNegotiation

from accounts.api.urls import original_urlpatterns as accounts_original
from accounts.api.urls import urlpatterns as accounts_api
from accounts.guards import kept_for
from accounts.rights import BELOW
from config import health
from config.rest.api import slash_optional
from dating.api.urls import urlpatterns as dating_api
from escalation.api.urls import original_urlpatterns as escalation_original
from escalation.api.urls import urlpatterns as escalation_api
from notifications.api.urls import original_urlpatterns
from notifications.api.urls import urlpatterns as notifications_api
from tracing.api.urls import urlpatterns as tracing_api

handler400 = "config.errors.bad_request"
handler403 = "config.errors.permission_denied"
handler404 = "config.errors.not_found"
handler500 = "config.errors.server_error"

admin.autodiscover()
urlpatterns = [
    path("api/v1/", include([*notifications_api, *escalation_api, *tracing_api, *dating_api, *accounts_api])),
    path("", include("escalation.receiving.urls")),
    path("", include("escalation.heartbeats.urls")),
    # Before the originals' own: a browser that opens /preferences/ gets the page.
    path("", include("notifications.web.urls")),
    path("", include("escalation.web.urls")),
    path("", include("tracing.web.urls")),
    path("", include("notifications.web.unsubscribe.urls")),
    path("", include("dating.web.urls")),
    path("", include("escalation.acknowledging.urls")),
    path("", include("escalation.voice.urls")),
    *original_urlpatterns,
    *escalation_original,
    *accounts_original,
    *slash_optional("health/live", health.LiveView.as_view(schema=None), name="health-live"),
    *slash_optional("health/ready", health.ReadyView.as_view(schema=None), name="health-ready"),
    *slash_optional("metrics", health.MetricsView.as_view(schema=None), name="metrics"),
    *slash_optional("api/schema", SpectacularAPIView.as_view(schema=None), name="schema"),
    *slash_optional(
        "api/docs",
        # Whoever accepts no page gets none, where endpoints answer in JSON whatever is accepted.
        SpectacularSwaggerView.as_view(schema=None, content_negotiation_class=DefaultContentNegotiation),
        name="docs",
    ),
    # A job is code that runs: to start one again, or to empty a queue, is more than the staff may do.
    path("django-rq/", include((kept_for(BELOW["django-rq"], queue_pages), "django_rq"))),
    path("admin/", admin.site.urls),
]
