"""The page of the API's operations in the documentation is what the schema says."""

from __future__ import annotations

from pathlib import Path

from trackerproject.dev.api_page import api_page

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "api.md"


def test_it_is_what_the_documentation_has():
    assert api_page() == PAGE.read_text(), "run: manage.py api_reference > docs/reference/api.md"
