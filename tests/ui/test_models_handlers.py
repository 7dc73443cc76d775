"""The models screen as the page sees it: cards that tell the truth, weights that only their visitor gets."""

from __future__ import annotations

import json
import pickle
import shutil
from html import escape, unescape
from pathlib import Path

import gradio as gr
import numpy as np
import pytest

from deblur_demo import catalogue
from deblur_demo.errors import CheckpointError, DeblurError
from deblur_demo.media.image import read_image, write_image
from deblur_demo.models import checkpoint, complexity, registry
from deblur_demo.pipeline import Job
from deblur_demo.ui import examples, knobs, shelf
from deblur_demo.ui.bench import Bench
from deblur_demo.ui.borrowed import BorrowedDeblurrer
from deblur_demo.ui.compare import layout as compare_layout
from deblur_demo.ui.compare.handlers import CompareHandlers
from deblur_demo.ui.compare.order import CompareOrder
from deblur_demo.ui.image import layout as image_layout
from deblur_demo.ui.image.handlers import ImageHandlers
from deblur_demo.ui.models import layout as models_layout
from deblur_demo.ui.models import text as models_text
from deblur_demo.ui.models import views as models_views
from deblur_demo.ui.models.handlers import ModelsHandlers
from deblur_demo.ui.order import checked
from deblur_demo.ui.runs import expire


@pytest.fixture(scope="module")
def screens(tmp_path_factory):
    """The screens and their cache; to build them takes longer than most tests."""
    cache = tmp_path_factory.mktemp("gradio")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(cache))
        with gr.Blocks():
            image = ImageHandlers(image_layout.place(1.0), Bench(), cache, examples.BLURRED)
            comparing = CompareHandlers(compare_layout.place(1.0), Bench(), cache, examples.BLURRED)
            models = ModelsHandlers(models_layout.place(1.0), Bench(), [image.screen.knobs], comparing)
        yield image, comparing, models, cache


@pytest.fixture
def page(screens, weights) -> ModelsHandlers:
    """The models screen of a server that has just started."""
    *handlers, cache = screens
    for folder in folders(cache):
        shutil.rmtree(folder)
    bench = Bench()
    for screen in handlers:
        screen.bench = bench
    return handlers[-1]


@pytest.fixture
def image(screens, page) -> ImageHandlers:
    return screens[0]


@pytest.fixture
def cache(screens, page) -> Path:
    return screens[-1]


def folders(cache: Path) -> list[Path]:
    """What runs and visitors have left; the UI library keeps its own files beside them."""
    return list(cache.glob("deblur-run-*"))


@pytest.fixture
def files(tmp_path, lively_checkpoint) -> list[str]:
    """Uploads: weights under a name of the visitor's, and their card."""
    for suffix in (".safetensors", ".json"):
        shutil.copy(lively_checkpoint.with_suffix(suffix), tmp_path / f"my net{suffix}")
    return [str(tmp_path / "my net.json"), str(tmp_path / "my net.safetensors")]


CHOSEN = ("mtrnn-lite", False, ["wiener"])


def load(page, files=(), address="", own=()) -> dict:
    *_, last = page.load(list(files), address, own, False, *CHOSEN)
    return last


def offered(update) -> list[str]:
    return [value for _, value in update["choices"]]


def test_loaded_weights_are_in_every_picker_and_do_the_work(page, image, files, cache, tmp_path, shaky_photo):
    last = load(page, files)
    (own,) = last[page.screen.own]
    assert models_text.loaded("my_net") in last[page.screen.status]
    for picker in (image.screen.knobs.model, page.comparing.screen.models):
        assert offered(last[picker])[0] == own.choice and offered(last[picker])[1] == "mtrnn-lite"
    assert "value" not in last[page.comparing.screen.models], "ticks stay as they are"
    assert last[page.screen.files] is None and last[page.screen.loaded]["value"] == own.choice

    write_image(shaky_photo, tmp_path / "shaky.png")
    photos, rest = [str(tmp_path / "shaky.png")], (2, False, "fp32", "auto", "1", "full", None)
    *_, done = image.deblur(photos, None, False, own.choice, *rest)
    *_, plain = image.deblur(photos, None, False, "mtrnn-lite", *rest)
    pictures = [read_image(last[image.screen.job.state].results[0].steps[2].full).pixels for last in (done, plain)]
    assert np.array_equal(*pictures) == (checkpoint.find("mtrnn-lite").read_bytes() == own.weights.read_bytes())
    assert page.bench.loaded()[0][0].checkpoint == own.weights

    *_, compared = page.comparing.run(
        str(tmp_path / "shaky.png"), None, [own.choice, "wiener"], [1], ["full"], "fp32", "auto", "1", None
    )
    names = [picture.figures.name for picture in compared[page.comparing.screen.job.state].results]
    assert names == ["my_net (yours) × 1", "wiener"]


def test_no_two_are_called_alike_and_none_as_a_network(page, image, files, cache, shaky_photo, tmp_path):
    own = []
    for _ in range(3):
        own.append(shelf.load(files, "", own))
    names = [weights.name for weights in own]
    assert names == [names[0], f"{names[0]}-2", f"{names[0]}-3"]
    write_image(shaky_photo, tmp_path / "shaky.png")
    models = ["mtrnn-lite", *(weights.choice for weights in own)]
    order = CompareOrder.of(str(tmp_path / "shaky.png"), None, models, [1])
    assert order.results == ["mtrnn-lite × 1", *(f"{name} (yours) × 1" for name in names)]


def test_weights_of_another_size_are_described_as_they_are(page, cache, tmp_path):
    network = registry.build("kaist-3f-s", frames=1)
    path = tmp_path / "one.safetensors"
    checkpoint.save(network, path, checkpoint.Card("kaist-3f-s", {"frames": 1}))
    mine = shelf.load([str(path), str(path.with_suffix(".json"))], "", [])
    row = knobs.row_of(mine.choice, costs=True)
    assert (row["frames"], row["parameters"]) == (1, network.parameter_count)
    assert row["parameters"] < catalogue.parameters("kaist-3f-s")
    assert row["gmacs"] == complexity.gmacs(network) < catalogue.gmacs("kaist-3f-s")
    (entry,) = (entry for entry in models_views.entries([mine], False) if entry.own)
    assert (entry.row["frames"], entry.row["gmacs"]) == (1, row["gmacs"])
    job, _ = checked(mine.choice, 1)
    borrowed = BorrowedDeblurrer(job, None)
    assert borrowed.model.traits.frames == 1 and borrowed.model.parameter_count == network.parameter_count


def test_unloading_deletes_them_everywhere(page, image, files, cache):
    (own,) = load(page, files)[page.screen.own]
    page.bench.deblurrer(Job(model="mtrnn-lite", checkpoint=own.weights))
    chosen = (own.choice, False, [own.choice, "wiener"])
    last = page.unload(own.choice, (own,), False, *chosen)
    assert last[page.screen.own] == () and page.bench.loaded() == [] and not own.folder.exists()
    assert last[image.screen.knobs.model]["value"] == "mtrnn-lite" and image.screen.knobs.about in last
    assert own.choice not in offered(last[image.screen.knobs.model])
    assert last[page.comparing.screen.models]["value"] == ["wiener"]
    assert not last[page.screen.unload]["visible"]
    with pytest.raises(CheckpointError, match="not on the server any more"):
        checked(own.choice, 1)


def test_another_visitors_weights_cannot_be_named(page, image, files, cache):
    (own,) = load(page, files)[page.screen.own]
    fresh = image.screen.knobs.offer_models()[image.screen.knobs.model]
    assert all(not shelf.is_own(value) for value in offered(fresh)), "a new visitor sees none"
    for guess in (
        "own:",
        "own:0",
        "own:" + "0" * 32,
        f"own:../{own.folder.name}",
        own.choice + "/..",
        str(own.weights),
    ):
        with pytest.raises(DeblurError):
            checked(guess, 1)
    page.bench.deblurrer(Job(model="mtrnn-lite", checkpoint=own.weights))
    shown = page.look((), False)[page.screen.memory]
    assert "mtrnn-lite, auto" in shown and "my_net" not in shown and own.token not in shown
    assert "my_net, auto" in page.look((own,), False)[page.screen.memory]


def test_weights_go_when_their_visitor_has_gone(page, files, cache):
    (own,) = load(page, files)[page.screen.own]
    shelf.clear((own,))
    assert not folders(cache)
    assert page.look((own,), False)[page.screen.cards].count("my_net") == 0


def test_weights_that_go_while_they_are_read_are_not_shown(page, files, cache, monkeypatch):
    (own,) = load(page, files)[page.screen.own]
    row_of = knobs.row_of

    def unloaded_meanwhile(choice: str, **options) -> dict:
        expire(own)
        return row_of(choice, **options)

    monkeypatch.setattr(knobs, "row_of", unloaded_meanwhile)
    assert "my_net" not in page.look((own,), False)[page.screen.cards]
    assert not own.folder.exists()


def bad_pickle(path: Path) -> list[str]:
    weights = path / "model.pth"
    weights.write_bytes(pickle.dumps({}))
    return [str(weights)]


def bad_name(path: Path) -> list[str]:
    (path / "model.safetensors").write_bytes(pickle.dumps({}))
    return [str(path / "model.safetensors"), str(path / "my net.json")]


def no_card(path: Path) -> list[str]:
    return [str(path / "my net.safetensors")]


def two(path: Path) -> list[str]:
    return [str(path / "my net.safetensors"), str(path / "my net.safetensors"), str(path / "my net.json")]


def card_of_another(path: Path) -> list[str]:
    (path / "other.json").write_text(json.dumps({"model": "mtrnn"}))
    return [str(path / "my net.safetensors"), str(path / "other.json")]


def shell(path: Path) -> list[str]:
    (path / "run.sh").write_text("exit")
    return [str(path / "run.sh"), str(path / "my net.json")]


@pytest.mark.parametrize(
    ("bad", "named"),
    [
        (bad_pickle, "model.pth is not a .safetensors file, so it stays unopened"),
        (bad_name, "model.safetensors begins with a header of"),
        (no_card, "1 .safetensors and 0 .json files came"),
        (two, "2 .safetensors and 1 .json files came"),
        (card_of_another, "my_net.safetensors"),
        (shell, "run.sh is not a .safetensors file"),
        (lambda path: [], "Neither files nor an address"),
    ],
)
def test_a_bad_file_costs_one_line_and_leaves_nothing(page, files, tmp_path, cache, bad, named):
    with pytest.warns(UserWarning) as caught:
        last = load(page, bad(tmp_path))
    message = unescape(str(caught[0].message))
    assert named in message and "Accepted" in message and "\n" not in message
    assert escape(named) in last[page.screen.status] and last[page.screen.load]["interactive"]
    assert page.screen.own not in last and not folders(cache)


@pytest.mark.parametrize(
    "address", ["hf://me/nets", "https://example.org/x.safetensors", "/etc/passwd", "hf://a/b@c/d.pt"]
)
def test_a_bad_address_costs_one_line(page, cache, address):
    with pytest.warns(UserWarning, match="hf://owner/repo@revision.*Check the address, or upload"):
        last = load(page, address=address)
    assert page.screen.own not in last


def test_whoever_runs_the_server_can_switch_loading_off(page, files, cache, monkeypatch):
    monkeypatch.setenv("DEBLUR_LOADING", "off")
    with pytest.warns(UserWarning, match="switched off on this server"):
        load(page, files)
    with gr.Blocks() as blocks:
        models_layout.place(1.0)
    words = [block.value for block in blocks.blocks.values() if isinstance(block, gr.Markdown)]
    assert models_text.OFF in words


def test_a_visitor_has_only_so_many(page, files, cache, monkeypatch):
    monkeypatch.setenv("DEBLUR_MAX_LOADED", "1")
    own = load(page, files)[page.screen.own]
    with pytest.warns(UserWarning, match="at most 1 at a time"):
        load(page, files, own=own)
    assert len(folders(cache)) == 1


def test_cards_say_what_the_catalogue_says(page, cache):
    ready = page.look((), False)[page.screen.cards]
    every = page.look((), True)[page.screen.cards]
    rows = catalogue.models()
    assert ready.count("<article") == sum(row["ready"] for row in rows) and every.count("<article") == len(rows)
    card = checkpoint.read_card(checkpoint.find("mtrnn-lite"))
    for word in (f"{2_643_308:,}", card.sha256, card.licence, *card.data, card.limits, "6, up to 10"):
        assert escape(word) in ready
    for curve in card.metrics.values():
        assert all(f"<td>{value:.2f}</td>" in ready for value in curve["psnr"])
    for row in rows:
        if not row["ready"]:
            commands = row["needs"].split(": ", 1)[1].split(", or ")
            assert all(f"<code>{escape(command)}</code>" in every for command in commands)


def test_costs_are_counted_after_the_cards_are_shown(page):
    page.count((), False)
    shown = page.look((), False)[page.screen.cards]
    assert shown.count(f"<dd>{catalogue.gmacs('mtrnn-lite'):.3g}</dd>") == 1
    assert shown.index("mtrnn-lite") < shown.index("wiener"), "networks first"


def test_what_a_card_says_cannot_become_part_of_the_page(page, files, cache):
    card = json.loads(Path(files[0]).read_text())
    evil = '<img src=x onerror="alert(1)">'
    card |= {"limits": evil, "licence": evil, "data": [evil], "hardware": evil, "metrics": {evil: {evil: [1.0]}}}
    Path(files[0]).write_text(json.dumps(card))
    last = load(page, files)
    assert "<img" not in last[page.screen.cards].lower() and escape(evil) in last[page.screen.cards]
