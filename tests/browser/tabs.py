"""From screen to screen, on wide pages and on phones."""

from __future__ import annotations


def go_to(page, screen: str) -> None:
    """Open a screen by its tab, which a phone keeps in a menu."""
    tab = page.get_by_role("tab", name=screen)
    if tab.count() and tab.first.is_visible():
        tab.first.click()
        return
    page.locator("#screens .overflow-menu button").first.click()
    page.get_by_role("button", name=screen).last.click()
