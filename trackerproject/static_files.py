"""Static files under names with a hash of their content, joined, compressed, and cached for ever by browsers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.files.base import ContentFile
from whitenoise.storage import CompressedManifestStaticFilesStorage

from tasks_app.web.joined_files import JOINED, join


class HashedStaticFiles(CompressedManifestStaticFilesStorage):
    """Hashes names also where DEBUG is set, in which Django would not, and joins files that are loaded together."""

    joins = True

    def url(self, name: str | None, force: bool = False) -> str:
        """Return the address; of a library that has a small version beside it, which Django names without DEBUG, of that."""
        small = f"{(name or '').removesuffix('.js')}.min.js"
        return super().url(small if self.clean_name(small) in self.hashed_files else name, force=True)

    def post_process(self, paths: dict[str, Any], dry_run: bool = False, **options: Any) -> Iterator[Any]:
        """Write the joined files, then hash and compress all."""
        if not dry_run:
            for name in JOINED:
                self._write(name, join(name, self._read))
                paths[name] = (self, name)
        yield from super().post_process(paths, dry_run=dry_run, **options)

    def _read(self, name: str) -> str:
        with self.open(name) as file:
            return file.read().decode()

    def _write(self, name: str, text: str) -> None:
        self.delete(name)
        self.save(name, ContentFile(text.encode()))
