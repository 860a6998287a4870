"""Addresses to which devices and other servers send."""

from __future__ import annotations

from django.urls import path

from tasks_app.api.intake.commands import IngestCommandsView
from tasks_app.api.intake.osmand import OsmandAliasView, OsmandView
from tasks_app.api.intake.owntracks import OwnTracksAliasView, OwnTracksView
from tasks_app.api.intake.positions import IngestPositionsView
from tasks_app.api.intake.receipts import SmsReceiptAliasView, SmsReceiptView
from tasks_app.api.intake.traccar import TraccarView

ingest_urls = [
    path("osmand", OsmandView.as_view(), name="osmand"),
    # Phones do not follow a redirect with their data: the slash has to work. With the key in the path it survives the
    # set-up by QR code, which drops a query.
    path("osmand/", OsmandAliasView.as_view(), name="osmand-slash"),
    path("osmand/<str:path_key>", OsmandAliasView.as_view(), name="osmand-key"),
    path("osmand/<str:path_key>/", OsmandAliasView.as_view(), name="osmand-key-slash"),
    path("owntracks", OwnTracksView.as_view(), name="owntracks"),
    path("owntracks/", OwnTracksAliasView.as_view(), name="owntracks-slash"),
    path("traccar", TraccarView.as_view(), name="traccar"),
    path("commands", IngestCommandsView.as_view(), name="commands"),
    path("sms-receipts", SmsReceiptView.as_view(), name="sms-receipts"),
    path("sms-receipts/<str:path_secret>", SmsReceiptAliasView.as_view(), name="sms-receipts-secret"),
    path("positions", IngestPositionsView.as_view(), name="positions"),
]
