"""For everybody: text can be read, light and dark; the keyboard reaches and does everything, and shows where it is."""

from __future__ import annotations

import pytest

from tests.browser.screens import SCREENS, open_screen, script, work

pytestmark = pytest.mark.browser

# Where the keyboard passes on each screen, in this order.
WAY = {
    "image": "screens photos examples image-run image-model image-iterations image-more image-viewer steps-zip",
    "video": "screens clip video-examples start end video-run video-model video-iterations player clip-file",
    "compare": "screens compare-photo compare-examples compare-run compare-models compare-iterations compare-more "
    "comparer compare-archive",
    "lab": "screens lab-photo lab-examples lab-pad lab-level lab-blur-run lab-model lab-run lab-viewer",
    "models": "screens models-files models-address models-load models-which models-cards",
}


@pytest.mark.parametrize("screen", SCREENS)
def test_a_screen_is_for_everybody(visit, shaky_clip, screen):
    page = visit(color_scheme="light")
    page.add_style_tag(content="* { transition: none !important; animation: none !important }")
    open_screen(page, screen)
    assert faint(page, least=25) == {"light": [], "dark": []}
    if screen == "models":
        page.get_by_label("All", exact=True).click()
        page.wait_for_selector("#models-cards .missing")
        page.locator("#models-address input").fill("hf://nobody")
        page.click("#models-load")
        page.wait_for_selector("[data-testid=toast-body]")
        page.wait_for_timeout(700)  # until it is all there
    else:
        work(page, screen, shaky_clip)
    assert faint(page, least=40) == {"light": [], "dark": []}
    assert nameless(page) == []

    stops = walk(page)
    assert None not in stops, "the focus is nowhere on the way"
    passed = list(dict.fromkeys(stop["where"] for stop in stops))
    on_the_way = iter(passed)
    assert [place for place in WAY[screen].split() if place not in on_the_way] == [], passed
    assert [stop for stop in stops if not stop["seen"]] == []
    assert [stop for stop in stops if not all(map(shows, stop["rings"]))] == []


def shows(ring: dict | None) -> bool:
    """Whether a ring tells where the focus is."""
    return ring is not None and ring["width"] >= 2 and ring["cut"] == 0 and ring["contrast"] >= 3


def faint(page, least: int) -> dict[str, list[dict]]:
    """Texts without WCAG's contrast to what is behind them, light and dark; there are at least so many texts at all."""
    found = {}
    for scheme in ("light", "dark"):
        page.evaluate("dark => document.body.classList.toggle('dark', dark)", scheme == "dark")
        texts = page.evaluate(script("contrast.js"))
        assert len(texts) >= least
        found[scheme] = [text for text in texts if text["contrast"] < text["needed"]]
    page.evaluate("document.body.classList.remove('dark')")
    return found


def nameless(page) -> list[str]:
    """What can have the focus, or is a picture, and has no name for a screen reader, or a key in place of a word."""
    session = page.context.new_cdp_session(page)
    found = []
    for node in session.send("Accessibility.getFullAXTree")["nodes"]:
        role, name = (node.get(key, {}).get("value", "") for key in ("role", "name"))
        focusable = any(p["name"] == "focusable" and p["value"].get("value") for p in node.get("properties", []))
        if node["ignored"] or not (role == "image" or (focusable and role != "RootWebArea")):
            continue
        if not name.strip() or name.startswith("common."):
            element = session.send("DOM.describeNode", {"backendNodeId": node["backendDOMNodeId"]})["node"]
            if focusable or element["nodeName"] == "IMG":  # drawings in a button go by the button's name
                found.append(f"{element['nodeName']} {element.get('attributes')} {name}")
    session.detach()
    return found


def walk(page) -> list[dict | None]:
    """Press Tab from the first control of the page to the last, and say of each what ``focus.js`` does."""
    page.locator("#screens [role=tab]").nth(1).focus()
    page.keyboard.press("Shift+Tab")
    found = []
    for _ in range(150):
        found.append(page.evaluate(script("focus.js")))
        if found[-1] and found[-1]["name"].startswith("Settings"):  # in the footer, the last one
            return found
        page.keyboard.press("Tab")
        page.wait_for_timeout(30)
    raise AssertionError(f"the keyboard does not come to the end: {found[-3:]}")


def test_the_measure_of_contrast_finds_what_is_wrong(visit):
    page = visit(color_scheme="light")
    page.set_content(
        '<body style="background:white"><p style="color:#777">grey</p><p style="color:#767676">darker</p>'
        '<p style="color:#949494;font-size:24px">large</p><p style="color:black;opacity:.4">faded</p>'
        '<div style="position:relative"><img width="90" height="20" src="data:image/gif;base64,R0lGODlhAQABAAAAACw=">'
        '<p style="position:absolute;top:0;color:white">above</p></div><button disabled style="color:#999">off</button>'
    )
    found = {text["words"]: (text["contrast"], text["needed"]) for text in page.evaluate(script("contrast.js"))}
    assert found == {
        "grey": (4.48, 4.5), "darker": (4.54, 4.5), "large": (3.03, 3), "faded": (2.85, 4.5), "above": (1, 4.5),
    }  # fmt: skip


@pytest.mark.parametrize("key", ["Tab", "Shift+Tab"])
def test_a_list_of_choices_closes_behind_the_key_that_leaves_it(visit, key):
    page = visit()
    page.locator("#image-model input").focus()
    page.wait_for_selector("ul[role=listbox]:visible")
    page.keyboard.press(key)
    page.wait_for_timeout(500)  # the library's own handler waits before it opens the list again
    assert not page.locator("ul[role=listbox]:visible").count()
    assert not page.evaluate("document.activeElement.matches('body, #image-model input')")


def test_a_photo_is_deblurred_by_keys_alone(visit, address):
    page = visit()
    # Eight orientations of ten iterations each last longer than it takes to find the key that ends them.
    page.goto(f"{address}/?screen=image&ensemble=8")
    page.wait_for_selector("#image-run")

    def to(selector: str, key: str = "Tab", presses: int = 60) -> None:
        for _ in range(presses + 1):
            if page.evaluate("what => document.activeElement?.matches(what)", selector):
                return
            page.keyboard.press(key)
        raise AssertionError(f"{key} does not lead to {selector}")

    def iterate(number: str) -> None:
        to("#image-iterations input[type=number]")
        page.keyboard.press("Control+a")
        page.keyboard.type(number)
        to("#image-run", "Shift+Tab")

    to("#examples button:nth-of-type(2)")
    page.keyboard.press("Space")
    page.wait_for_selector("#photos img[src*=coffee]")
    iterate("10")
    page.keyboard.press("Enter")
    page.wait_for_selector("#image-status .status.busy p:has-text('of 10')")
    to("#image-cancel", presses=2)
    page.keyboard.press("Enter")
    page.wait_for_selector("#image-status p:has-text('Cancelled')")
    page.wait_for_selector("#image-run:not([disabled])")
    iterate("1")
    page.keyboard.press("Space")
    page.wait_for_selector("#image-status .status.done")
    assert page.locator("#image-status p").inner_text().startswith("Done: 1 iteration in")
    to("[role=tab]:nth-of-type(3)", "Shift+Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector("#compare-run:visible")
    to("#compare-examples button")
