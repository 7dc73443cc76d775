"""What each file of a folder is, by the table of layouts; a folder of nothing known is drawn what was expected."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sized
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from deblur_demo.errors import InputError
from training.data.cifar import read_cifar
from training.data.files import Files
from training.data.held_out import held_out
from training.data.layouts import LAYOUTS, Layout, Rule, indented


@dataclass(frozen=True)
class Entry:
    """One sample of a set.

    Attributes:
        layout: name of the set.
        role: as its rule's.
        test: whether it is for evaluation only.
        clip: what it shares with the samples that belong to one clip.
        moment: its place in time, None where samples do not follow one another. A photo has that of the frame that it
            may be.
        level: n of TLn, for "levels".
        files: blurred picture and its truths, or the frame or level alone.
    """

    layout: str
    role: str
    test: bool
    clip: str
    moment: int | None
    level: int
    files: tuple[str, ...]


class LayoutError(InputError):
    """A folder that holds nothing known; its message draws what was expected."""

    def __init__(self, found: str, accepted: str, action: str, trees: str = ""):
        super().__init__(found, accepted, action)
        self.trees = trees

    def __str__(self) -> str:
        return super().__str__() + ("\n\n" + self.trees if self.trees else "")


# What lies below such a folder is for evaluation, in any layout: test/, test-close-ups/, GoPro_test/, val_blur/ ...
_KEPT_BACK = r"(?:test(?:ing|sets?)?|val(?:id|idation)?|eval(?:uation)?)"
_EVALUATION = re.compile(rf"(^|/)([^/]*[-_])?{_KEPT_BACK}([-_][^/]*)?/", re.IGNORECASE)
_BLURRED = re.compile(r"(^|/)([^/]*(?<!de)blur[^/]*|(input|lq)([-_][^/]*)?)/", re.IGNORECASE)
_FIELD = re.compile(r"\{(\w+)(?::((?:[^{}]|\{\d+\})+))?\}")


def recognise(files: Files) -> list[Entry]:
    """What each picture of a folder is, those for evaluation included.

    Args:
        files: the folder.

    Returns:
        Entries in the order of the rules and of the names.

    Raises:
        LayoutError: the lists that split a set are missing.
    """
    by_stem = {_stem(name): name for name in files.pictures}
    entries: list[Entry] = []
    assigned: set[str] = set()
    for layout in LAYOUTS:
        tests = _test_list(files, layout)
        for rule in layout.rules:
            found = list(_matches(files, layout, rule, by_stem, assigned, tests))
            for entry in found:
                assigned.update(entry.files)
            entries += [entry for entry in found if entry.role]
    photos = (name for name in by_stem.values() if name not in assigned and not _BLURRED.search(name))
    for name in photos:
        path = PurePosixPath(name)
        clip, moment = _in_time(path.parent, path.stem)
        entries.append(Entry("own photos", "photos", _kept_back(files, name), clip, moment, 0, (name,)))
    return entries


def evaluation_pairs(source: Path) -> list[Entry]:
    """Pairs to evaluate on: those of the set's test part, or all where a folder has no such part.

    Args:
        source: a public set in its layout, or any folder of pairs.

    Returns:
        Entries whose ``files`` are the blurred picture and its truths, more than one for Kohler;
        ``clip`` and ``moment`` say which are neighbours.

    Raises:
        LayoutError: there are none; the message draws the expected trees.
    """
    files = Files(source)
    pairs = [entry for entry in recognise(files) if entry.role == "pairs"]
    if not pairs:
        raise LayoutError(
            f"{source} holds no pairs",
            "blurred pictures with their truth",
            "Point to such a folder",
            trees(files.names),
        )
    return [entry for entry in pairs if entry.test] or pairs


def by_clip(entries: Iterable[Entry], role: str) -> list[list[Entry]]:
    """Entries of one role, clip by clip in the order of their names, each clip in the order of time."""
    clips = defaultdict(list)
    for entry in entries:
        if entry.role == role:
            clips[entry.clip].append(entry)
    ordered = sorted(clips.items(), key=lambda item: PurePosixPath(item[0]).parts)
    return [sorted(clip, key=lambda entry: (entry.moment or 0, entry.files[0])) for _, clip in ordered]


def in_runs(clip: Iterable[Entry]) -> list[list[Entry]]:
    """A clip, as ``by_clip`` sorts it, in pieces where moments are missing."""
    runs: list[list[Entry]] = []
    before = None
    for entry in clip:
        if before is None or None in (before.moment, entry.moment) or entry.moment != before.moment + 1:
            runs.append([])
        runs[-1].append(entry)
        before = entry
    return runs


def is_in_time(clip: Iterable[Entry]) -> bool:
    """Whether the entries of a clip follow one another, each at a moment of its own."""
    moments = [entry.moment for entry in clip]
    return None not in moments and len(set(moments)) == len(moments)


def trees(names: list[str] | None = None) -> str:
    """The expected trees; with ``names``, of the layouts whose folders occur in them, if any do."""
    folders = {part for name in names or () for part in PurePosixPath(name).parts[:-1]}
    near = [layout for layout in LAYOUTS if folders & set(re.findall(r"(\w+)/", layout.tree)) - {"train", "test"}]
    drawn = (f"  {layout.name}\n" + indented(layout.tree, 4) for layout in near or LAYOUTS)
    return "Expected, in the folder or below it, any of:\n" + "\n".join(drawn)


def holdings(entries: Iterable[Entry], **cifar: Sized | None) -> dict[tuple[str, str, bool], int]:
    """How many samples there are of each layout and role, and whether they are for evaluation only.

    Args:
        entries: as recognised.
        cifar: pictures of CIFAR-10 by part, "train" and "test"; None where there are none.
    """
    counts = Counter((entry.layout, entry.role, entry.test) for entry in entries)
    for part, pictures in cifar.items():
        if pictures is not None and len(pictures):
            counts["CIFAR-10", "pictures", part == "test"] = len(pictures)
    return counts


def summary(source: Path) -> str:
    """What a folder holds, a line for each set and part.

    Raises:
        LayoutError: nothing; the message draws the expected trees.
    """
    files = Files(source)
    cifar = {part: read_cifar(files, part) for part in ("train", "test")}
    lines = [
        f"{count:7} {role} ({layout}), {'for evaluation only' if test else 'to train on'}"
        for (layout, role, test), count in holdings(recognise(files), **cifar).items()
    ]
    if not lines:
        raise LayoutError(f"{source} holds no pictures", "a data set", "Point to such a folder", trees(files.names))
    return "\n".join(lines)


def _matches(
    files: Files,
    layout: Layout,
    rule: Rule,
    by_stem: dict[str, str],
    assigned: set[str],
    tests: Callable[[str], bool] | None,
) -> Iterator[Entry]:
    """Entries of one rule; one without a role says that its file is settled."""
    pattern = re.compile(r"(?P<root>(?:^|.*/))" + _regex(rule.files) + "$")
    for stem, name in by_stem.items():
        if name in assigned or not (match := pattern.match(stem)):
            continue
        if rule.role == "frames" and _BLURRED.search(name):  # of pairs whose truth is missing
            continue
        fields = match.groupdict()
        truths = _truths(rule, fields, by_stem)
        if rule.role == "pairs" and not truths:
            continue
        if any(truth in assigned for truth in truths):  # blurred another way by an earlier rule
            yield Entry(layout.name, "", False, "", None, 0, (name,))
            continue
        folder = PurePosixPath(name).parent.parent if rule.role == "levels" else PurePosixPath(name).parent
        clip, moment = _in_time(folder, fields["frame"]) if rule.video else (str(folder), None)
        test = (
            layout.evaluation_only
            or _kept_back(files, name)
            or bool({*layout.test_clips} & {*PurePosixPath(name).parts})
            or (tests is not None and tests(name))
        )
        yield Entry(layout.name, rule.role, test, clip, moment, int(fields.get("level") or 0), (name, *truths))


def _in_time(folder: PurePosixPath, frame: str) -> tuple[str, int | None]:
    """Clip and moment of a numbered picture. A folder may hold several clips: GOPR0372_07_00-000047."""
    text, number = re.fullmatch(r"(.*?)(\d*)", frame).groups()
    return (str(folder / text.strip("-_ ")), int(number)) if number else (str(folder), None)


def _kept_back(files: Files, name: str) -> bool:
    # Who points to the train/ or test/ folder of a set means its split, too.
    pointed = re.fullmatch(_KEPT_BACK, files.folder, re.IGNORECASE)
    return bool(pointed or _EVALUATION.search(name)) or held_out(f"{files.folder}/{name}")


def _truths(rule: Rule, fields: dict[str, str], by_stem: dict[str, str]) -> tuple[str, ...]:
    if not rule.truth:
        return ()
    wanted = rule.truth.format(**fields)
    if not wanted.endswith("*"):
        name = by_stem.get(fields["root"] + wanted)
        return (name,) if name else ()
    return tuple(name for stem, name in by_stem.items() if PurePosixPath(stem).name.startswith(wanted[:-1]))


def _test_list(files: Files, layout: Layout) -> Callable[[str], bool] | None:
    """A function that says whether a file is in the set's lists of test pairs; None for a set without lists."""
    if not layout.test_lists:
        return None
    listed = set()
    kinds = set()
    for name in files.names:
        if match := re.fullmatch(layout.test_lists, PurePosixPath(name).name):
            kinds.add(match[1])
            lines = files.read(name).decode("utf-8", "replace").split()
            listed |= {(match[1], *PurePosixPath(_stem(path)).parts[-3:]) for path in lines}

    def is_test(name: str) -> bool:
        kind = re.search(r"RealBlur-([JR])", name)
        if kind is None or kind[1] not in kinds:
            raise LayoutError(
                f"{files.source} holds {layout.name} pictures ({name}) without the list of those for testing",
                "the folder that has RealBlur-J_... or RealBlur-R_... and its test list side by side",
                "Point to that folder, and put the lists of the download into it",
                indented(layout.tree, 2),
            )
        return (kind[1], *PurePosixPath(_stem(name)).parts[-3:]) in listed

    return is_test


def _regex(template: str) -> str:
    """A template as a regular expression with named groups."""
    parts, end = [], 0
    for field in _FIELD.finditer(template):
        parts.append(re.escape(template[end : field.start()]))
        parts.append(f"(?P<{field[1]}>{field[2] or '[^/]+'})")
        end = field.end()
    return "".join(parts) + re.escape(template[end:])


def _stem(name: str) -> str:
    return name.rsplit(".", 1)[0]
