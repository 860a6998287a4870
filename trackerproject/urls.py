"""The URL configuration."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path, re_path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from notifications_app.admin.own_settings import own_settings
from notifications_app.api.urls import api_urls as notification_urls
from notifications_app.pages import page_urls as notification_pages
from notifications_app.views import choose_language, choose_theme, unsubscribe_page
from reports_app.api.urls import api_urls as report_urls
from reports_app.pages import page_urls as report_pages
from reports_app.urls import page_urls as shared_pages
from tasks_app.admin.accounts import own_password
from tasks_app.admin.live_map import live_map
from tasks_app.admin.trackers import tracker_frames, trackers
from tasks_app.api.intake import ingest_urls
from tasks_app.api.unknown import unknown_address
from tasks_app.api.urls import api_urls as task_urls
from tasks_app.api.urls import probe_urls
from tasks_app.pages import page_urls as task_pages
from tasks_app.pages.account import SignInView, sign_out
from tasks_app.web.security_contact import security_txt

admin.autodiscover()

schema_urls = [
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path(
        "docs/",
        SpectacularSwaggerSplitView.as_view(url_name="api:schema", template_name="tasks_app/api_docs.html"),
        name="docs",
    ),
]

urlpatterns = [
    path("", include(([*task_pages, *notification_pages, *report_pages], "pages"))),
    path("admin/login/", SignInView.as_view(home="admin:index")),
    path("admin/logout/", sign_out),
    path("admin/live/", admin.site.admin_view(live_map), name="live_map"),
    path("admin/trackers/", admin.site.admin_view(trackers), name="trackers"),
    path("admin/trackers/<int:device_id>/", admin.site.admin_view(tracker_frames), name="tracker_frames"),
    path("admin/password_change/", admin.site.admin_view(own_password)),
    path("admin/preferences/", admin.site.admin_view(own_settings), name="own_settings"),
    path("admin/", admin.site.urls),
    path("language/", choose_language, name="set_language"),
    path("theme/", choose_theme, name="set_theme"),
    path("unsubscribe/<str:token>", unsubscribe_page, name="unsubscribe"),
    path(".well-known/security.txt", security_txt, name="security_txt"),
    *probe_urls,
    path("api/", include(([*task_urls, *report_urls, *notification_urls, *schema_urls], "api"))),
    *shared_pages,
    path("ingest/", include((ingest_urls, "ingest"))),
    re_path(r"", unknown_address),
]

handler400 = "tasks_app.api.errors.bad_request"
handler403 = "tasks_app.api.errors.forbidden"
handler404 = "tasks_app.api.errors.not_found"
handler500 = "tasks_app.api.errors.server_error"
