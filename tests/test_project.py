"""The files around the code: what they promise about installing is held to what the code needs."""

from __future__ import annotations

import ast
import json
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DISTRIBUTIONS = {
    "PIL": "pillow",
    "cv2": "opencv-python-headless",
    "skimage": "scikit-image",
    "gradio_client": "gradio",  # gradio requires it and the next one, in the versions that fit
    "httpx": "gradio",
    "fastapi": "gradio",
    "packaging": "gradio",
    "pydantic": "gradio",
    "starlette": "gradio",
    "mcp": "gradio",  # with its extra, in requirements-mcp.txt
    "huggingface_hub": "huggingface-hub",
}
OPTIONAL = {
    "tomllib",  # part of Python since 3.11
    "spaces",  # is there inside a Space, and of no use elsewhere
    "h5py",  # for one reader of convert, which says so where it is missing
}
TEST_COMMAND = "python3 -m venv .venv && .venv/bin/pip install -r requirements-dev.txt && .venv/bin/python -m pytest"


def requirements(name: str) -> dict[str, str]:
    """Distribution -> its lines, of a requirements file and of those that it names."""
    found: dict[str, str] = {}
    for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
        if line.startswith("-r "):
            found |= requirements(line[3:])
        elif line and not line.startswith("#"):
            distribution = re.match(r"[A-Za-z0-9-]+", line).group()
            found[distribution] = found.get(distribution, "") + line + "\n"
    return found


def needed(*places: str) -> set[str]:
    """Distributions that the code in these places imports."""
    files = [f for place in places for f in ([ROOT / place] if place.endswith(".py") else (ROOT / place).rglob("*.py"))]
    roots: set[str] = set()
    for path in (path for path in files if path.exists()):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                roots |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                roots.add(node.module.split(".")[0])
    ours = {"deblur_demo", "training", "tests", "benchmarks", "docs", "app"}
    roots -= set(sys.stdlib_module_names) | ours | {"__future__"}
    return {DISTRIBUTIONS.get(root, root) for root in roots - OPTIONAL}


@pytest.mark.parametrize(
    ("file", "places"),
    [
        ("requirements.txt", ["deblur_demo", "app.py"]),
        ("requirements-mcp.txt", ["deblur_demo", "app.py"]),
        ("requirements-train.txt", ["deblur_demo", "training"]),
        ("requirements-dev.txt", ["deblur_demo", "training", "tests", "benchmarks", "docs", "app.py"]),
    ],
)
def test_all_that_is_imported_is_required(file, places):
    assert needed(*places) <= requirements(file).keys()


@pytest.mark.parametrize(
    "file", ["requirements.txt", "requirements-mcp.txt", "requirements-train.txt", "requirements-dev.txt"]
)
def test_each_requirement_has_its_reason_above_it(file):
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    for above, line in zip(lines, lines[1:], strict=False):
        if line and not line.startswith(("#", "-r")):
            same = above.split("=")[0] == line.split("=")[0]
            assert above.startswith("#") or same, f"{file}: {line} has no reason"


@pytest.mark.parametrize(
    ("python", "torch"), [("3.10", "2.11.0"), ("3.11", "2.13.0"), ("3.12", "2.11.0"), ("3.13", "2.13.0")]
)
def test_every_python_gets_exactly_one_torch(python, torch):
    markers = pytest.importorskip("packaging.requirements")
    lines = [markers.Requirement(line) for line in requirements("requirements.txt")["torch"].splitlines()]
    chosen = [str(line.specifier) for line in lines if line.marker.evaluate({"python_version": python})]
    assert chosen == [f"=={torch}"]


def test_nothing_needs_torchvision():
    assert "torchvision" not in requirements("requirements-dev.txt")
    assert "torchvision" not in needed("deblur_demo", "training", "tests", "benchmarks", "docs", "app.py")


def test_the_space_runs_the_pinned_gradio():
    front = dict(re.findall(r"^(\w+): (.+)$", README.split("---\n")[1], flags=re.MULTILINE))
    assert front["sdk"] == "gradio" and front["app_file"] == "app.py" and (ROOT / front["app_file"]).exists()
    major, minor, _ = front["sdk_version"].split(".")
    assert requirements("requirements.txt")["gradio"].strip() == f"gradio=={major}.{minor}.*"
    assert front["python_version"] == '"3.12"', "of the versions that ZeroGPU runs, the newest"
    assert len(front["short_description"]) <= 60, "the Hub refuses longer ones"


def test_ci_runs_the_commands_of_the_readme():
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert TEST_COMMAND in README.splitlines() and TEST_COMMAND in ci
    assert TEST_COMMAND.replace("-dev", "").replace("-m pytest", "app.py") in README.splitlines()


def test_the_sizes_in_the_readme_are_those_of_the_models():
    from deblur_demo.catalogue import models

    sizes = {row["id"]: f"{row['parameters']:,}" for row in models()}
    rows = re.findall(r"^\| `([\w-]+)` \|.*\| ([\d,]+) \|$", README, flags=re.MULTILINE)
    assert len(rows) >= 2
    for name, size in rows:
        assert sizes[name] == size


def test_cards_are_the_only_json_among_the_weights():
    folder = ROOT / "checkpoints"
    for path in folder.glob("*.json"):
        assert json.loads(path.read_text(encoding="utf-8"))["model"]
        assert path.with_suffix(".safetensors").exists()
    assert not [path.name for path in folder.glob("*") if path.suffix not in {".json", ".safetensors", ".md"}]
