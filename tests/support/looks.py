"""In which language, colours and width a page is looked at, and the words that are expected there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils import translation
from django.utils.translation import gettext, ngettext


@dataclass(frozen=True, slots=True)
class Look:
    """A language, a colour scheme and a width in pixels."""

    language: str
    scheme: str
    width: int

    def __str__(self) -> str:
        return f"{self.language} {self.scheme} {self.width}"

    @property
    def options(self) -> dict[str, Any]:
        """Return the options of a visit (`visit_of`) in this look."""
        locale = {"en": "en-US", "pt-br": "pt-BR"}[self.language]
        return {"width": self.width, "color_scheme": self.scheme, "locale": locale}

    def say(self, text: str, *, plural: str = "", **values: object) -> str:
        """Return an English text of the pages in the language; `values` take the places in it.

        A text with a plural form has the number of `values["counter"]`.
        """
        with translation.override(self.language):
            said = ngettext(text, plural, int(str(values["counter"]))) if plural else gettext(text)
        return said % values if values else said


# Each language, each scheme and each width once; tests that can afford both of a pair take both.
DESK, PHONE = Look("en", "light", 1440), Look("pt-br", "dark", 360)
OTHER_DESK, OTHER_PHONE = Look("pt-br", "dark", 1440), Look("en", "light", 360)
BOTH, OTHERS = (DESK, PHONE), (OTHER_DESK, OTHER_PHONE)
