"""The video screen in a real browser: a clip goes in, plays beside its restored version, and comes out."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from skimage import data

from deblur_demo.media.clip import probe, read_frames
from tests.browser.tabs import go_to

pytestmark = pytest.mark.browser

VIDEOS = "document.querySelectorAll('#player video')"


def film(path: Path, frames: int = 8, size: tuple[int, int] = (160, 120), codec: str = "libx264") -> Path:
    """A clip of 10 frames a second that drifts over scikit-image's cup of coffee, with a hum in AAC."""
    width, height = size
    picture = cv2.blur(data.coffee(), (9, 1))
    with av.open(str(path), "w") as container:
        video = container.add_stream(codec, rate=10)
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        sound = container.add_stream("aac", rate=48_000, layout="mono")
        for index in range(frames):
            crop = np.ascontiguousarray(picture[20 : 20 + height, 20 + 2 * index : 20 + 2 * index + width])
            container.mux(video.encode(av.VideoFrame.from_ndarray(crop, "rgb24")))
        container.mux(video.encode(None))
        hum = (np.sin(np.arange(4800 * frames) / 20) * 0.3).astype(np.float32)
        block = av.AudioFrame.from_ndarray(hum[None], "fltp", "mono")
        block.sample_rate, block.pts, block.time_base = 48_000, 0, Fraction(1, 48_000)
        container.mux(sound.encode(block))
        container.mux(sound.encode(None))
    return path


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    return film(tmp_path_factory.mktemp("clips") / "cup.mp4")


@pytest.fixture
def screen(visit):
    """Open the page at its video screen."""

    def open_screen(*size: int, **options):
        page = visit(*size, **options)
        go_to(page, "Video")
        page.wait_for_selector("#video-run")
        return page

    return open_screen


def give(page, path: Path) -> None:
    page.locator("#clip input[type=file]").set_input_files(path)
    page.wait_for_selector("#player .player:visible")


def run(page, iterations: int) -> None:
    page.locator("#video-iterations input[type=number]").fill(str(iterations))
    page.locator("#video-iterations input[type=number]").press("Tab")
    page.click("#video-run")


def deblurred(page, path: Path, iterations: int = 1) -> None:
    give(page, path)
    run(page, iterations)
    page.wait_for_selector("#video-status .status.done")
    page.wait_for_function(f"[...{VIDEOS}].every((video) => video.readyState > 2)")


def state(page, what: str) -> list:
    """A property of both videos, source first."""
    return page.evaluate(f"[...{VIDEOS}].map((video) => video.{what})")


def saved(page) -> tuple[str, bytes]:
    with page.expect_download() as event:
        page.click("#clip-file")
    return event.value.suggested_filename, Path(event.value.path()).read_bytes()


def shown(page) -> np.ndarray:
    """What the browser shows of the player's picture, RGB."""
    png = page.locator("#player .frame").screenshot()
    return cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)[..., ::-1].astype(int)


def test_a_clip_comes_back_and_plays_beside_its_source(screen, clip, cache):
    page = screen()
    give(page, clip)
    assert "160 × 120 pixels" in page.locator("#about-clip").inner_text()
    assert page.locator("#player .wipe").is_hidden() and page.locator("#player .first").is_visible()
    run(page, 1)
    page.wait_for_selector("#video-status .status.done")
    assert "Done: 8 frames" in page.locator("#video-status p").inner_text()
    page.wait_for_function(f"[...{VIDEOS}].every((video) => video.readyState > 2)")
    assert state(page, "videoWidth") == [160, 160] and state(page, "error") == [None, None]
    before, after = state(page, "duration")
    assert before == pytest.approx(after, abs=0.03) and before == pytest.approx(0.8, abs=0.05)

    page.click("#player .play")
    page.wait_for_function(f"{VIDEOS}[0].currentTime > 0.3 && {VIDEOS}[1].currentTime > 0.3")
    page.click("#player .play")
    page.wait_for_function(f"[...{VIDEOS}].every((video) => video.paused && !video.seeking)")
    before, after = state(page, "currentTime")
    assert before == pytest.approx(after, abs=0.002), "they stop at the same frame"
    assert page.evaluate(f"{VIDEOS}[1].muted") is False and page.evaluate(f"{VIDEOS}[0].muted") is True

    name, mp4 = saved(page)
    (made,) = [path for path in cache.glob("deblur-run-*/cup_deblurred.mp4") if path.read_bytes() == mp4]
    assert name == "cup_deblurred.mp4"
    assert [frame.time for frame in read_frames(made)] == [frame.time for frame in read_frames(clip)]
    assert len(probe(made).sounds) == 1
    assert (
        page.locator("#video-curve polyline").count() == 2 and "Flicker" in page.locator("#video-figures").inner_text()
    )


def test_the_wipe_shows_the_source_on_its_left_and_the_result_on_its_right(screen, clip):
    page = screen()
    deblurred(page, clip)
    page.add_style_tag(content="#player .tag, #player .handle { visibility: hidden }")
    wipe, pictures = page.locator("#player .wipe"), {}
    for value in ("0", "100", "50"):
        wipe.fill(value)
        page.wait_for_timeout(200)
        pictures[value] = shown(page)
    result, source, both = pictures["0"], pictures["100"], pictures["50"]
    middle = both.shape[1] // 2
    assert np.abs(result - source).mean() > 0.3
    assert np.array_equal(both[:, : middle - 3], source[:, : middle - 3])
    assert np.array_equal(both[:, middle + 3 :], result[:, middle + 3 :])
    box = page.locator("#player .frame").bounding_box()
    page.mouse.click(box["x"] + 0.25 * box["width"], box["y"] + 0.5 * box["height"])
    assert float(wipe.input_value()) == pytest.approx(25, abs=2)
    before = float(wipe.input_value())
    wipe.press("ArrowRight")
    assert float(wipe.input_value()) == pytest.approx(before + 2)


def test_keys_step_through_the_frames(screen, clip):
    page = screen()
    deblurred(page, clip)
    place = page.locator("#player .position")
    page.locator("#player .wipe").focus()
    for key, frame in ((".", 2), (".", 3), (",", 2), (",", 1), (",", 1)):
        page.keyboard.press(key)
        page.wait_for_function(f"document.querySelector('#player .position').textContent == 'Frame {frame} of 8'")
        page.wait_for_function(f"![...{VIDEOS}].some((video) => video.seeking)")
        assert state(page, "currentTime") == pytest.approx([frame / 10 - 0.05] * 2, abs=0.03)
    page.locator("#player .seek").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("document.querySelector('#player .position').textContent == 'Frame 2 of 8'")
    page.keyboard.press("k")
    page.wait_for_function(f"!{VIDEOS}[1].paused")
    page.keyboard.press("l")  # no loop: it stops by itself
    page.wait_for_function(f"{VIDEOS}[1].ended && {VIDEOS}[0].paused")
    assert place.inner_text() == "Frame 8 of 8"
    names = page.locator("#player").evaluate(
        "node => [...node.querySelectorAll('button, input, select, video')].map((part) => "
        "part.ariaLabel || part.textContent.trim() || part.closest('label')?.textContent.trim())"
    )
    assert all(names) and len(names) >= 12


def test_a_recording_of_a_browser_has_a_length_although_its_file_says_none(screen, tmp_path):
    path = tmp_path / "recording.webm"
    with av.open(str(path), "w", options={"live": "1"}) as container:
        video = container.add_stream("libvpx-vp9", rate=10)
        video.width, video.height, video.pix_fmt = 160, 120, "yuv420p"
        for index in range(20):
            picture = np.ascontiguousarray(data.coffee()[20:140, 20 + 2 * index : 180 + 2 * index])
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(video.encode(None))
    assert probe(path).seconds is None
    page = screen()
    give(page, path)
    page.wait_for_function("/^Frame 1 of (19|20)$/.test(document.querySelector('#player .position').textContent)")
    page.locator("#player .last").click()
    page.wait_for_function("document.querySelector('#end input').value == '0.1'")


def test_only_the_part_between_two_marks_is_taken(screen, clip):
    page = screen()
    assert [page.input_value(f"#{field} input") for field in ("start", "end")] == ["0", ""]
    give(page, clip)
    page.wait_for_function(f"{VIDEOS}[0].readyState > 2")
    page.locator("#player .wipe").evaluate("node => node.closest('.player').querySelector('.forward').click()")
    page.click("#player .forward")
    page.wait_for_function("document.querySelector('#player .position').textContent.startsWith('Frame 3')")
    page.click("#player .first")
    page.wait_for_function("document.querySelector('#start input').value == '0.2'")
    page.click("#player .forward")
    page.wait_for_function("document.querySelector('#player .position').textContent.startsWith('Frame 4')")
    page.click("#player .last")
    page.wait_for_function("document.querySelector('#end input').value == '0.4'")
    run(page, 1)
    page.wait_for_selector("#video-status .status.done")
    assert "Done: 2 frames" in page.locator("#video-status p").inner_text()
    page.wait_for_function(f"[...{VIDEOS}].every((video) => video.readyState > 2)")
    page.wait_for_function(f"Math.abs({VIDEOS}[0].currentTime - 0.2) < 0.01")
    assert state(page, "currentTime")[1] == 0


def test_cancel_keeps_a_playable_part(screen, tmp_path):
    page = screen()
    give(page, film(tmp_path / "long.mp4", frames=60, size=(240, 180)))
    run(page, 6)
    page.wait_for_selector("#live img >> nth=1")
    assert "of 60" in page.locator("#video-status p").inner_text()
    page.click("#video-cancel")
    page.wait_for_selector("#video-status p:has-text('Cancelled. The first')")
    page.wait_for_selector("#video-run:not([disabled])")
    page.wait_for_function(f"{VIDEOS}.length == 2 && [...{VIDEOS}].every((video) => video.readyState > 2)")
    name, mp4 = saved(page)
    (tmp_path / name).write_bytes(mp4)
    frames = list(read_frames(tmp_path / name))
    words = page.locator("#video-status p").inner_text()
    assert 1 <= len(frames) < 60 and f"The first {len(frames)} of 60" in words
    assert state(page, "duration")[1] == pytest.approx(len(frames) / 10, abs=0.1)
    assert "finished part" in page.locator("#clip-file").inner_text()
    page.click("#player .play")
    page.wait_for_function(f"{VIDEOS}[1].currentTime > 0")


def test_a_loop_that_is_paused_as_it_begins_anew_is_no_error(screen, clip):
    """A browser refuses what it began to play, then, and says so on the console if nobody listens."""
    page = screen()
    give(page, clip)
    page.evaluate(f"""() => {{
        const video = {VIDEOS}[0];
        video.addEventListener("ended", () => {{ video.pause(); window.paused = true; }});
    }}""")
    page.click("#player .play")
    page.wait_for_function("window.paused")
    page.wait_for_timeout(500)  # for what the console says


def test_where_there_is_no_full_screen_none_is_offered(screen, clip, photo):
    """Phones that have none, and frames that may not fill it; the key does nothing then."""
    page = screen()
    page.add_init_script("Object.defineProperty(document, 'fullscreenEnabled', { value: false })")
    page.reload()
    page.wait_for_selector("#image-run")
    go_to(page, "Video")
    give(page, clip)
    assert page.is_visible("#player .play") and not page.is_visible("#player .full")
    page.locator("#player .play").press("f")
    go_to(page, "Image")
    page.locator("#photos input[type=file]").first.set_input_files(photo)
    page.click("#image-run")
    page.locator("#image-viewer .view").press("f")
    assert page.is_visible("#image-viewer .fit") and not page.is_visible("#image-viewer .full")
    assert page.evaluate("document.fullscreenElement") is None


def test_a_bad_file_costs_one_line_and_the_screen_goes_on(screen, clip, tmp_path):
    bad = tmp_path / "holiday.mp4"
    bad.write_text("#EXTM3U\nhttp://127.0.0.1/part.ts\n")
    page = screen()
    page.locator("#clip input[type=file]").set_input_files(bad)
    page.wait_for_selector("#video-status .status.error")
    line = page.locator("#video-status p").inner_text()
    assert "holiday.mp4" in line and "Accepted: MP4" in line and "\n" not in line
    run(page, 1)
    page.wait_for_selector("[data-testid=toast-body]:has-text('holiday.mp4')")
    page.wait_for_selector("#video-status .status.error")
    page.locator("#clip button[aria-label=Clear]").click()
    deblurred(page, clip)


def test_of_a_source_that_the_browser_cannot_play_the_result_is_shown_alone(screen, tmp_path):
    page = screen()
    give(page, film(tmp_path / "old.avi", frames=3, codec="mpeg4"))
    page.wait_for_selector("#player .note:has-text('cannot play')")
    run(page, 1)
    page.wait_for_selector("#video-status .status.done")
    page.wait_for_selector("#player .note:has-text('only the result')")
    page.wait_for_function(f"{VIDEOS}[1].readyState > 2")
    assert page.locator("#player .wipe").is_hidden() and page.locator("#player .result").is_visible()
    page.click("#player .play")
    page.wait_for_function(f"{VIDEOS}[1].currentTime > 0")


def test_a_result_that_the_browser_cannot_play_is_told_with_what_to_do(screen, clip):
    page = screen()
    page.route("**/cup_deblurred.mp4", lambda route: route.fulfill(content_type="video/mp4", body=b"no film"))
    give(page, clip)
    run(page, 1)
    page.wait_for_selector("#video-status .status.done")
    page.wait_for_selector("#player .note:has-text('cannot play the result. Download it')")
    assert page.is_visible("#clip-file")


def test_a_clip_falls_silent_when_its_screen_is_left(screen, clip):
    page = screen()
    deblurred(page, clip)
    page.click("#player .play")  # it loops, and does not end by itself
    page.wait_for_function(f"{VIDEOS}[1].currentTime > 0.1")
    assert state(page, "paused") == [False, False]
    go_to(page, "Image")
    page.wait_for_function(f"[...{VIDEOS}].every((video) => video.paused)")
    go_to(page, "Video")
    page.click("#player .play")
    page.wait_for_function(f"[...{VIDEOS}].every((video) => !video.paused)")


def test_a_phone_shows_all_of_it_without_sideways_scrolling(screen, clip):
    page = screen(390, 844, is_mobile=True, has_touch=True)
    width = "[document.documentElement.scrollWidth, window.innerWidth]"
    assert page.evaluate(width) == [390, 390]
    deblurred(page, clip)
    assert page.evaluate(width) == [390, 390]
    controls = page.locator("#player button:visible, #player select:visible, #player .seek")
    boxes = [controls.nth(index).bounding_box() for index in range(controls.count())]
    assert len(boxes) >= 8 and all(box["x"] >= 0 and box["x"] + box["width"] <= 390 for box in boxes)


def test_nobody_else_is_asked_for_anything(screen, address, clip):
    page = screen()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    deblurred(page, clip)
    assert asked and [url for url in asked if not url.startswith((address, "data:", "blob:"))] == []
