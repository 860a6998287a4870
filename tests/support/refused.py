"""Reports of what the content policy of a page refuses, and of what the theme cannot read as an expression."""

from __future__ import annotations

from playwright.sync_api import Page

# An init script of the browser's context.
REPORT = """
window.refused = [];
const report = console.error;
console.error = (...said) => {
  if (String(said[0]).startsWith("Expression")) window.refused.push(said.slice(0, 2).join(" "));
  report(...said);
};
document.addEventListener("securitypolicyviolation", ({ effectiveDirective, blockedURI, sourceFile, lineNumber }) =>
  window.refused.push(`${effectiveDirective}: ${blockedURI} at ${sourceFile}:${lineNumber}`));
"""
# Alpine starts after the scripts, and paints in the next frames.
SETTLED = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(window.refused))))"


def refused_on(page: Page) -> list[str]:
    """Return what was refused on the page that is loaded, once it has painted."""
    found: list[str] = page.evaluate(SETTLED)
    return found
