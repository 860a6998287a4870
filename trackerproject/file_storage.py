"""Storage of uploaded and generated files."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ImproperlyConfigured

# A request waits for its file: an unavailable bucket must fail within half a minute, not after botocore's five minutes.
CONNECT_TIMEOUT_SECONDS, READ_TIMEOUT_SECONDS, MAX_ATTEMPTS = 5, 20, 3
# Of a file that is read; what is larger goes through the disk.
MAX_MEMORY_BYTES = 4 * 1024 * 1024


def file_storage(*, bucket: str, endpoint_url: str, region: str, prefix: str) -> dict[str, Any]:
    """Return an entry of STORAGES: S3-compatible storage if a bucket is configured, else the folder MEDIA_ROOT.

    Raises ImproperlyConfigured where the packages for a bucket are not installed.
    """
    if not bucket:
        return {"BACKEND": "django.core.files.storage.FileSystemStorage"}
    try:
        import storages  # noqa: F401  (of the class below, which is loaded when the first file is asked for)
        from botocore.config import Config
    except ModuleNotFoundError as error:
        raise ImproperlyConfigured("S3_BUCKET wants the packages of requirements-s3.txt.") from error

    options = {
        "bucket_name": bucket,
        "endpoint_url": endpoint_url or None,
        "region_name": region or None,
        "location": prefix,
        "file_overwrite": False,
        "max_memory_size": MAX_MEMORY_BYTES,
        "client_config": Config(
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            read_timeout=READ_TIMEOUT_SECONDS,
            retries={"total_max_attempts": MAX_ATTEMPTS, "mode": "standard"},
            # Newer checksums than these are Amazon's alone; others refuse what carries them.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    }
    return {"BACKEND": "trackerproject.s3_storage.BucketStorage", "OPTIONS": options}


def static_storage(*, is_hashed: bool) -> dict[str, Any]:
    """Return the entry of STORAGES for static files: with names that say what is in them, or as they are in development."""
    if is_hashed:
        return {"BACKEND": "trackerproject.static_files.HashedStaticFiles"}
    return {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
