"""Browsers of the tests share the processors with other processes of the suite."""

from __future__ import annotations

from playwright.sync_api import expect

# As long as other steps of a visit may take.
expect.set_options(timeout=15_000)
