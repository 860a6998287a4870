"""Destinations of a person (webhooks and chats), and tests of channels."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError as InvalidRow
from django.db import transaction
from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework import serializers, status
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response

from notifications_app.api.deliveries import DeliveryQueuedSerializer
from notifications_app.channels.base import InvalidDestination
from notifications_app.channels.registry import CHANNELS
from notifications_app.channels.webhook import WebhookChannel
from notifications_app.models import Destination
from notifications_app.models.encryption import Unreadable
from notifications_app.queries.deliveries import own_destinations
from notifications_app.services.destinations import (
    TooManyDestinations,
    TooManyTests,
    add_destination,
    change_destination,
    rotate_signing_secret,
    send_test,
)
from tasks_app.api.base import ApiView, PrivateView
from tasks_app.api.errors import Conflict
from tasks_app.api.fields import LineField, StrictBooleanField, StrictCharField, StrictSerializer, TimestampField
from tasks_app.api.schema import describe
from tasks_app.queries.access import OWN
from tasks_app.services.rows import hold_row

KINDS = [kind for kind, channel in CHANNELS.items() if channel.has_destinations]
TESTABLE = [kind for kind, channel in CHANNELS.items() if not channel.has_destinations and not channel.sent_by_writing]


class TestsExhausted(APIException):
    """A 429 with the time to wait."""

    status_code = status.HTTP_429_TOO_MANY_REQUESTS
    default_code = "throttled"
    wait = 600


class DestinationSerializer(serializers.ModelSerializer[Destination]):
    """A destination; `address` is readable and holds no secret."""

    kind = serializers.CharField()
    disabled_at = TimestampField(allow_null=True)
    tested_at = TimestampField(allow_null=True)
    created_at = TimestampField()

    class Meta:
        model = Destination
        fields = [
            "id", "kind", "name", "address", "is_enabled", "disabled_reason", "disabled_at", "tested_at", "created_at",
        ]  # fmt: skip
        read_only_fields = fields


class NewDestinationBody(StrictSerializer):
    """A new destination; `url` is a web address for a webhook, an Apprise address (tgram://...) for apprise."""

    kind = serializers.ChoiceField(choices=KINDS)
    name = LineField(max_length=100)
    url = StrictCharField(max_length=2000)


class DestinationBody(StrictSerializer):
    """The fields that can be changed."""

    name = LineField(max_length=100, required=False)
    url = StrictCharField(max_length=2000, required=False)
    is_enabled = StrictBooleanField(required=False)


class CreatedDestinationSerializer(DestinationSerializer):
    """A new destination with the signing secret of a webhook, which is not shown again."""

    signing_secret = serializers.CharField(allow_null=True)

    class Meta(DestinationSerializer.Meta):
        fields = [*DestinationSerializer.Meta.fields, "signing_secret"]
        read_only_fields = fields


class SigningSecretSerializer(serializers.Serializer[Any]):
    """The new signing secret, which is not shown again."""

    signing_secret = serializers.CharField()


class DestinationListView(PrivateView):
    """The caller's destinations."""

    rights = {"GET": OWN, "POST": OWN}

    @describe(
        "List own destinations",
        name="destinations_list",
        tag="notifications",
        answers={200: DestinationSerializer(many=True)},
    )
    def get(self, request: Request) -> Response:
        return Response(DestinationSerializer(own_destinations(request.user), many=True).data)

    @describe(
        "Add a destination",
        name="destinations_create",
        tag="notifications",
        request=NewDestinationBody,
        answers={201: CreatedDestinationSerializer},
        errors=(409,),
    )
    def post(self, request: Request) -> Response:
        body = self.body(NewDestinationBody)
        try:
            destination = add_destination(user=request.user, **body)
        except TooManyDestinations as error:
            raise Conflict("too_many", str(error), state="full") from error
        except (InvalidDestination, InvalidRow) as error:
            raise _as_fields(error) from error
        shown = DestinationSerializer(destination).data
        secret = destination.secrets.get("signing_secret")
        return Response({**shown, "signing_secret": secret}, status=status.HTTP_201_CREATED)


class DestinationView(ApiView):
    """One destination of the caller."""

    rights = {"GET": OWN, "PATCH": OWN, "DELETE": OWN}

    @describe(
        "A destination",
        name="destinations_retrieve",
        tag="notifications",
        answers={200: DestinationSerializer},
        errors=(404,),
    )
    def get(self, request: Request, destination_id: int) -> Response:
        return Response(DestinationSerializer(destination_for(request.user, destination_id)).data)

    @describe(
        "Change a destination, or switch it on or off",
        name="destinations_update",
        tag="notifications",
        request=DestinationBody,
        answers={200: DestinationSerializer},
        errors=(404,),
    )
    def patch(self, request: Request, destination_id: int) -> Response:
        destination = destination_for(request.user, destination_id)
        shown = DestinationSerializer(destination).data
        body = self.body(DestinationBody, changing=destination, shown=shown)
        try:
            change_destination(destination, **body)
        except (InvalidDestination, InvalidRow) as error:
            raise _as_fields(error) from error
        return Response(DestinationSerializer(destination).data)

    @describe(
        "Delete a destination", name="destinations_delete", tag="notifications", answers={204: None}, errors=(404,)
    )
    def delete(self, request: Request, destination_id: int) -> Response:
        destination = destination_for(request.user, destination_id)
        with transaction.atomic():
            # No test of it begins between the change of its deliveries and its end.
            hold_row(destination)
            destination.delete()
        return Response(status=status.HTTP_204_NO_CONTENT)


class DestinationTestView(ApiView):
    """Sends a test to one destination."""

    rights = {"POST": OWN}

    @describe(
        "Send a test to a destination",
        name="destinations_test",
        tag="notifications",
        answers={202: DeliveryQueuedSerializer},
        errors=(404, 429),
    )
    def post(self, request: Request, destination_id: int) -> Response:
        destination = destination_for(request.user, destination_id)
        return _sent_test(request, destination.kind, destination)


class SigningSecretView(PrivateView):
    """Replaces the secret of a webhook."""

    rights = {"POST": OWN}

    @describe(
        "Replace a webhook's signing secret",
        name="destinations_signing_secret",
        tag="notifications",
        answers={200: SigningSecretSerializer},
        errors=(404, 409),
    )
    def post(self, request: Request, destination_id: int) -> Response:
        destination = destination_for(request.user, destination_id)
        if destination.kind != WebhookChannel.kind:
            raise Conflict("no_secret", _("Only webhooks are signed."), state=destination.kind)
        try:
            return Response({"signing_secret": rotate_signing_secret(destination)})
        except Unreadable as error:
            detail = _("The address of this destination cannot be read any more. Enter it again.")
            raise Conflict("unreadable", detail, state="unreadable") from error


class ChannelTestView(ApiView):
    """Sends a test through a channel without destinations."""

    rights = {"POST": OWN}

    @describe(
        "Send a test by e-mail, or to the open pages",
        name="channels_test",
        tag="notifications",
        answers={202: DeliveryQueuedSerializer},
        errors=(404, 429),
    )
    def post(self, request: Request, kind: str) -> Response:
        if kind not in TESTABLE:
            raise Http404
        return _sent_test(request, kind, None)


def destination_for(user: Any, destination_id: int) -> Destination:
    """Raises Http404 for one that is not the user's."""
    destination = own_destinations(user).filter(pk=destination_id).first()
    if destination is None:
        raise Http404
    return destination


def _sent_test(request: Request, kind: str, destination: Destination | None) -> Response:
    try:
        delivery_id = send_test(user=request.user, kind=kind, destination=destination, now=timezone.now())
    except TooManyTests as error:
        raise TestsExhausted(_("Too many tests were sent; wait some minutes.")) from error
    return Response({"delivery_id": delivery_id}, status=status.HTTP_202_ACCEPTED)


def _as_fields(error: InvalidDestination | InvalidRow) -> serializers.ValidationError:
    if isinstance(error, InvalidDestination):
        return serializers.ValidationError({"url": [str(error)]})
    problems = error.message_dict
    return serializers.ValidationError({"name" if name == "__all__" else name: problems[name] for name in problems})
