"""Where uploaded and generated files live."""

from __future__ import annotations

from typing import Any


def file_storage(*, bucket: str, endpoint_url: str, region: str, prefix: str) -> dict[str, Any]:
    """An entry of STORAGES: S3-compatible storage where a bucket is named, else the folder MEDIA_ROOT."""
    if not bucket:
        return {"BACKEND": "django.core.files.storage.FileSystemStorage"}
    options = {
        "bucket_name": bucket,
        "endpoint_url": endpoint_url or None,
        "region_name": region or None,
        "location": prefix,
        "file_overwrite": False,
    }
    return {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options}
