"""Static files under names with a hash of their content, compressed, and cached for ever by browsers."""

from __future__ import annotations

from whitenoise.storage import CompressedManifestStaticFilesStorage


class HashedStaticFiles(CompressedManifestStaticFilesStorage):
    """Hashes names also where DEBUG is set, in which Django would not."""

    def url(self, name: str | None, force: bool = False) -> str:
        return super().url(name, force=True)
