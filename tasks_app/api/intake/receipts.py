"""`/ingest/sms-receipts`: what the SMS provider reports of messages that carried commands."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from rest_framework import serializers
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from tasks_app.api.intake.base import SERVER_AUTH, IngestView
from tasks_app.api.intake.senders import bad_body, refused, sent_key
from tasks_app.api.parsers import JSON_MEDIA_TYPE, media_type_of, read_body
from tasks_app.api.schema import describe
from tasks_app.ingest.errors import BodyError
from tasks_app.ingest.json_batch import decode_json
from tasks_app.ingest.osmand import form_parameters
from tasks_app.queries.senders import hash_key
from tasks_app.services.commands import read_receipts, record_receipts

MAX_BODY_BYTES = 256 * 1024


class ReceiptOutcome(serializers.Serializer[Any]):
    received = serializers.IntegerField(help_text="Reports in the request.")
    recorded = serializers.IntegerField(help_text="Those that changed a command.")


class SmsReceiptView(IngestView):
    """Reports of one or many messages, as JSON, a form or a query."""

    @describe(
        "Report the delivery of SMS (query)",
        name="ingest_sms_receipts_get",
        tag="ingest",
        answers={200: ReceiptOutcome},
        errors=(400,),
        description="For providers that report by GET; everything else is as by POST.",
        auth=SERVER_AUTH,
    )
    def get(self, request: Request, path_secret: str = "") -> Response:
        _prove(request, path_secret)
        return _recorded([request.query_params.dict()])

    @describe(
        "Report the delivery of SMS",
        name="ingest_sms_receipts",
        tag="ingest",
        request={JSON_MEDIA_TYPE: OpenApiTypes.OBJECT, "application/x-www-form-urlencoded": OpenApiTypes.OBJECT},
        answers={200: ReceiptOutcome},
        errors=(413,),
        description="Send SMS_RECEIPT_SECRET as `Authorization: Bearer ...`, or as the last part of the address. "
        "SMS_RECEIPT_REFERENCE and SMS_RECEIPT_STATUS name the members that are read. Unknown references and states are "
        "answered 200: the provider need not send them again.",
        auth=SERVER_AUTH,
    )
    def post(self, request: Request, path_secret: str = "") -> Response:
        _prove(request, path_secret)
        return _recorded(_reports(request))


class SmsReceiptAliasView(SmsReceiptView):
    """The same at the address with the secret in it, for providers that send no headers."""

    schema = None


def _prove(request: Request, path_secret: str) -> None:
    """Return when the request carries the secret. Raises AuthenticationFailed, PermissionDenied (not set), Throttled."""
    expected = settings.SMS["RECEIPT_SECRET"]
    if not expected:
        raise refused(request, PermissionDenied(_("SMS_RECEIPT_SECRET is not set."), "not_configured"))
    # By hashes of one length: the time of the comparison says nothing of the secret's.
    if not constant_time_compare(hash_key(sent_key(request, path_secret)), hash_key(expected)):
        raise refused(request, AuthenticationFailed(_("The secret is wrong or missing.")))


def _reports(request: Request) -> list[Any]:
    """The reports in a body: an object or a list of them; a form, with the query. Raises ApiError."""
    body = read_body(request._request, MAX_BODY_BYTES)
    try:
        if media_type_of(request).startswith(JSON_MEDIA_TYPE):
            decoded = decode_json(body)
            return decoded if isinstance(decoded, list) else [decoded]
        form = {name: values[-1] for name, values in form_parameters(body).items()}
    except BodyError as error:
        raise bad_body(error) from error
    return [{**request.query_params.dict(), **form}]


def _recorded(reports: list[Any]) -> Response:
    receipts = read_receipts(reports)
    recorded = record_receipts(receipts, now=timezone.now())
    return Response({"received": len(reports), "recorded": recorded})
