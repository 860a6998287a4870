"""URLs of pages outside of the admin and the API."""

from __future__ import annotations

from django.urls import path

from reports_app.views import shared_report

page_urls = [path("reports/shared/<str:token>", shared_report, name="shared-report")]
