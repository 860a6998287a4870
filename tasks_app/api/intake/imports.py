"""Files of positions through the API: taken in as a form, imported by a job."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError as InvalidZone
from django.http import Http404
from django.utils.datastructures import MultiValueDict
from django.utils.translation import gettext as _
from rest_framework import serializers, status
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from tasks_app.api.base import ApiView
from tasks_app.api.enqueueing import EnqueuedSerializer, accepted
from tasks_app.api.errors import ApiError
from tasks_app.api.fields import StrictSerializer, TimestampField
from tasks_app.api.permissions import device_for, fleet_for, refusal
from tasks_app.api.schema import describe
from tasks_app.models import PositionUpload
from tasks_app.models.fleets import validate_time_zone
from tasks_app.models.uploads import UploadFormat, UploadState
from tasks_app.queries.access import ADD_DEVICES, SEND_POSITIONS, Right, has_everywhere, visible_fleets
from tasks_app.services.intake import IMPORT_TASK, InvalidUpload, create_upload


class ImportForm(StrictSerializer):
    """A file and how to read it."""

    file = serializers.FileField(help_text="CSV, GPX, GeoJSON, JSON or Traccar's CSV export; .gz too.")
    device = serializers.IntegerField(
        min_value=1, max_value=2**63 - 1, required=False, help_text="Stands for whatever device the file names."
    )
    fleet = serializers.IntegerField(
        min_value=1, max_value=2**63 - 1, required=False, help_text="Unknown devices are created in this fleet."
    )
    format = serializers.ChoiceField(
        choices=[choice for choice in UploadFormat.values if choice],
        required=False,
        help_text="Found out by the file's name and content unless given.",
    )
    time_zone = serializers.CharField(
        max_length=64, default="UTC", help_text="Of times that state none, such as those of Traccar's export."
    )

    def validate_time_zone(self, value: str) -> str:
        try:
            validate_time_zone(value)
        except InvalidZone as error:
            raise serializers.ValidationError(error.messages) from error
        return value


class ImportAcceptedSerializer(EnqueuedSerializer):
    """The job, and the import to ask for its counts."""

    import_id = serializers.IntegerField()


class ImportCountsSerializer(serializers.Serializer[Any]):
    """`read` = `stored` + `duplicates` + all `rejected` + all `filtered`; empty before the first chunk is stored."""

    read = serializers.IntegerField(required=False)
    stored = serializers.IntegerField(required=False)
    duplicates = serializers.IntegerField(required=False)
    events = serializers.IntegerField(required=False)
    devices_created = serializers.IntegerField(required=False)
    rejected = serializers.DictField(child=serializers.IntegerField(), required=False, help_text="By reason.")
    filtered = serializers.DictField(
        child=serializers.IntegerField(), required=False, help_text="Kept out by filters of fleet or device, by reason."
    )
    unknown_quantities = serializers.DictField(
        child=serializers.IntegerField(), required=False, help_text="Of good fixes, left out as they cannot be right."
    )
    examples = serializers.DictField(child=serializers.CharField(), required=False, help_text="One for each reason.")
    remarks = serializers.ListField(
        child=serializers.CharField(), required=False, help_text="How the file was understood, where that was a guess."
    )


class ImportSerializer(serializers.Serializer[PositionUpload]):
    """Outcome of an imported file."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    size_bytes = serializers.IntegerField()
    state = serializers.ChoiceField(choices=UploadState.choices)
    counts = ImportCountsSerializer()
    error = serializers.CharField()
    task_id = serializers.UUIDField(source="job_id")
    created_at = TimestampField()
    finished_at = TimestampField(allow_null=True)


class ImportPositionsView(ApiView):
    """A file of positions."""

    budget = "ingest"
    rights = {"POST": SEND_POSITIONS}

    parser_classes = [MultiPartParser]

    @describe(
        "Import a file of positions",
        name="positions_import",
        tag="positions",
        request={"multipart/form-data": ImportForm},
        answers={202: ImportAcceptedSerializer},
        errors=(404, 413),
        description=(
            "History: nobody is alerted, and no device counts as seen. Positions of devices that the caller does not "
            "operate are rejected. To create devices in a fleet one must manage it; staff need tasks_app.add_position."
        ),
    )
    def post(self, request: Request) -> Response:
        check_may_import(request.user)
        form = ImportForm(data=_form_of(request))
        form.is_valid(raise_exception=True)
        values = form.validated_data
        device = device_for(request.user, values["device"], self.asked) if "device" in values else None
        fleet = fleet_for(request.user, values["fleet"], ADD_DEVICES) if "fleet" in values else None
        try:
            upload = create_upload(
                file=values["file"],
                requested_by=request.user,
                device=device,
                fleet=fleet,
                file_format=values.get("format", ""),
                time_zone=values["time_zone"],
            )
        except InvalidUpload as error:
            raise serializers.ValidationError({error.field: [str(error)]}) from error
        return accepted(request, upload.job_id, IMPORT_TASK, import_id=upload.pk)


class ImportView(ApiView):
    """One import."""

    rights = {"GET": Right(None, "tasks_app.view_positionupload", is_own=True)}

    @describe(
        "What became of a file of positions",
        name="positions_import_retrieve",
        tag="positions",
        answers={200: ImportSerializer},
        errors=(404,),
        description="One's own; staff see all.",
    )
    def get(self, request: Request, upload_id: int) -> Response:
        uploads = PositionUpload.objects.all()
        if not has_everywhere(request.user, self.asked):
            uploads = uploads.filter(requested_by_id=request.user.pk)
        upload = uploads.filter(pk=upload_id).first()
        if upload is None:
            raise Http404(_("Not found."))
        return Response(ImportSerializer(upload).data)


def _form_of(request: Request) -> Any:
    """The fields and the file of the request, each once. Raises ApiError and ValidationError for a form that is not read."""
    if request.META.get("HTTP_CONTENT_ENCODING", "identity").strip().lower() not in ("", "identity"):
        detail = _("A form is not compressed as a whole; the file in it may be.")
        raise ApiError(status.HTTP_415_UNSUPPORTED_MEDIA_TYPE, "unsupported_encoding", detail)
    if not request.META.get("CONTENT_LENGTH"):
        raise serializers.ValidationError(
            {"file": [_("Send the length of the form; one that comes in chunks is not read.")]}
        )
    form: Any = request.data
    if not isinstance(form, MultiValueDict):
        return form  # Of a request without content.
    if twice := {name[:100]: [_("Give it once.")] for name, values in form.lists() if len(values) > 1}:
        raise serializers.ValidationError(twice)
    return form


def check_may_import(user: Any) -> None:
    """Raise PermissionDenied unless `user` is staff that may add positions, or operates a fleet."""
    if not has_everywhere(user, SEND_POSITIONS) and not visible_fleets(user, SEND_POSITIONS).exists():
        raise refusal(SEND_POSITIONS)
