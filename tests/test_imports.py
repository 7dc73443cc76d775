"""The house's one direction: who may import whom, read from the source; and that importing is light."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# Part of deblur_demo -> the parts it may import besides itself.
FOUNDATION = {"errors", "settings", "whole"}
MEASURES = {"metrics", "flicker", "spectrum"}
MACHINERY = FOUNDATION | MEASURES | {"media", "models", "runtime", "catalogue", "maps"}
MAY_IMPORT = {
    "__init__": set(),
    "errors": set(),
    "settings": {"errors"},
    "light": set(),
    "whole": set(),
    "metrics": FOUNDATION,
    "flicker": FOUNDATION,
    "spectrum": FOUNDATION,
    "synthesis": FOUNDATION | {"light"},
    "media": FOUNDATION,
    "models": FOUNDATION | {"light"},
    "runtime": FOUNDATION | {"metrics", "media", "models"},
    "catalogue": FOUNDATION | {"models"},
    "maps": {"media"},
    "lab": FOUNDATION | {"media", "synthesis"},
    "pipeline": MACHINERY,
    "verdict": FOUNDATION | {"metrics", "models", "pipeline"},
    "clips": MACHINERY | {"pipeline"},
    "orders": FOUNDATION | {"media"},
    "batch": MACHINERY | {"pipeline", "verdict", "clips", "orders"},
    "space": FOUNDATION | {"models"},
    "reports": FOUNDATION | {"pipeline", "verdict", "clips", "batch", "runtime"},
    "cli": MACHINERY | {"synthesis", "lab", "pipeline", "verdict", "clips", "orders", "batch", "reports", "space"},
    "ui": MACHINERY | {"synthesis", "lab", "pipeline", "verdict", "clips"},
    "__main__": {"cli"},
}


def sources(*places: str) -> list[Path]:
    """Python files of folders and of single files, those that exist."""
    found = []
    for place in places:
        path = ROOT / place
        found += sorted(path.rglob("*.py")) if path.is_dir() else [path] if path.exists() else []
    return found


def imported(path: Path) -> set[str]:
    """Every module that a file imports, at its top or inside a function, by its full name."""
    modules: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.relative_to(ROOT)}:{node.lineno}: write the full name of the module"
            # `from deblur_demo import settings` names a module in its second half.
            modules |= {f"{node.module}.{alias.name}" for alias in node.names}
    return modules


def parts(modules: set[str], package: str = "deblur_demo") -> set[str]:
    """Which parts of a package are among the modules."""
    return {name.split(".")[1] for name in modules if name.startswith(f"{package}.")}


@pytest.mark.parametrize("path", sources("deblur_demo"), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_product_imports_in_one_direction(path):
    place = path.relative_to(ROOT / "deblur_demo")
    part = place.parts[0].removesuffix(".py")
    modules = imported(path)
    foreign = parts(modules) - MAY_IMPORT[part] - {part}
    assert not foreign, f"{part} must not import {', '.join(sorted(foreign))}"
    roots = {name.split(".")[0] for name in modules}
    assert not roots & {"training", "tests", "app", "benchmarks"}
    if part != "ui":
        assert not roots & {"gradio", "gradio_client"}, "only ui/ and app.py know Gradio"


@pytest.mark.parametrize("path", sources("training"), ids=lambda path: str(path.relative_to(ROOT)))
def test_training_knows_nothing_of_the_page(path):
    modules = imported(path)
    assert not parts(modules) & {"ui", "cli", "orders", "batch", "__main__"}
    assert not {name.split(".")[0] for name in modules} & {"gradio", "app", "tests"}


@pytest.mark.parametrize("path", sources("app.py"), ids=lambda path: path.name)
def test_the_app_never_trains(path):
    assert not {name.split(".")[0] for name in imported(path)} & {"training", "tests"}


def test_the_direction_is_seen_where_it_is_broken(tmp_path):
    """The reader of imports finds all ways to write one."""
    path = tmp_path / "module.py"
    path.write_text(
        "import deblur_demo.ui.layout\nfrom deblur_demo import cli\nfrom deblur_demo.media.image import Photo\n"
        "def late():\n    from training import loop\n    import gradio as gr\n"
    )
    assert parts(imported(path)) == {"ui", "cli", "media"}
    assert {"training.loop", "gradio"} <= imported(path)


@pytest.mark.parametrize(
    "path", sources("deblur_demo", "training", "tests", "benchmarks", "app.py"), ids=lambda p: str(p.relative_to(ROOT))
)
def test_a_file_is_short_and_says_what_it_is(path):
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 350
    assert path.stem not in {"utils", "helpers", "common"}, "a name should say what is inside"
    if path.name == "__init__.py" and path.parent.name != "deblur_demo":
        assert text == ""
    else:
        assert ast.get_docstring(ast.parse(text)), "the first line says what the file is"


def test_importing_the_package_loads_nothing_heavy():
    code = (
        "import sys, deblur_demo; assert 'open_deblurrer' in dir(deblur_demo); "
        "heavy = {'torch', 'gradio', 'numpy', 'cv2', 'PIL', 'av', 'skimage'} & set(sys.modules); "
        "sys.exit(', '.join(sorted(heavy)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_mistyped_command_line_answers_without_loading_torch():
    code = (
        "import sys, deblur_demo.cli as cli\n"
        "try:\n    cli.main(['deblur', 'x.jpg', '-o', 'y', '--iterations', '0'])\n"
        "except SystemExit as left:\n    assert left.code == 2\n"
        "sys.exit(', '.join({'torch', 'gradio', 'cv2'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_deblurring_from_the_command_line_does_not_load_the_page():
    code = "import sys, deblur_demo.batch; sys.exit('gradio' if 'gradio' in sys.modules else 0)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_every_public_name_exists():
    package = import_module("deblur_demo")
    for name in package.__all__:
        assert getattr(package, name).__name__ == name
    with pytest.raises(AttributeError, match="nonsense"):
        _ = package.nonsense
