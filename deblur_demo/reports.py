"""What the command line says of runs, photos, clips and models, in words for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deblur_demo.settings import ITERATIONS, SIZE

if TYPE_CHECKING:
    from deblur_demo.batch import Outcome
    from deblur_demo.clips import Begun, ClipReport, FrameReport
    from deblur_demo.pipeline import StepReport
    from deblur_demo.runtime.deblurrer import TileDone

TIPS = {
    "more_iterations": "more iterations",
    "first_step": f"{ITERATIONS.flag} auto, which does less where little is to be done",
    "best_step": f"{ITERATIONS.flag} {{best}}, which comes closest to the truth",
    "deconvolution": "--model richardson-lucy{full}, as it looks smeared straight over {smear:.0f} px",
    "network": "a network, as it shows no straight smear",
    "full_size": "--size full",
    "half_size": "--size half if it is smeared straight",
    "quarter_size": "--size quarter if it is smeared straight",
}
TABLE_WIDTH = 120  # letters in a line of `models`


def wording(event: TileDone | StepReport | Begun | FrameReport | ClipReport) -> str:
    """An event of a run, for a line that shows where it is."""
    from deblur_demo.clips import Begun, ClipReport, FrameReport
    from deblur_demo.runtime.deblurrer import TileDone

    match event:
        case TileDone():
            return f"step {event.index}, tile {event.tile} of {event.tiles}"
        case Begun():
            return f"{event.frames or 'an unknown number of'} frames"
        case FrameReport():
            return f"frame {event.index} at {float(event.time):.2f} s done in {event.seconds:.2f} s"
        case ClipReport():
            return f"{event.frames} frames"
    return f"step {event.index} done in {event.seconds:.1f} s"


def summary(outcome: Outcome) -> str:
    """What became of one input: a line, and one for each notice."""
    parts = outcome.steps or outcome.frames
    if outcome.steps:
        amount, before, after = f"{parts[-1]['index']} steps", parts[0]["psnr"], parts[-1]["psnr"]
    else:
        amount = f"{outcome.frame_count} frames"
        before, after = _mean(parts, "psnr_before"), _mean(parts, "psnr")
    quality = "" if before is None or after is None else f", PSNR {before:.2f} -> {after:.2f} dB"
    seconds = sum(part["seconds"] for part in parts)
    line = f"{outcome.input} -> {outcome.output} ({amount}, {seconds:.1f} s{quality})"
    return "\n  ".join((line, *([verdict(outcome.verdict)] if outcome.verdict else []), *outcome.notices))


def verdict(facts: dict) -> str:
    """What became of a photo's blur, and what to try; ``facts`` as in ``verdict.Verdict.facts``."""
    if facts["kind"] == "plain":
        return f"changed by {facts['change']:.1f} of 255 levels; nothing to tell blur by"
    words = {"sharp": "sharp already", "soft": "a little blurred", "blurred": "blurred"}[facts["kind"]]
    estimates = [facts["blur_before"], facts["blur_after"]]
    arrow = " -> ".join("?" if value is None else f"{value:.2f}" for value in estimates)
    full = "" if facts["size"] == SIZE.default else f" {SIZE.flag} {SIZE.default}"
    tips = "".join(f"; try {TIPS[tip].format(**facts, full=full)}" for tip in facts["advice"])
    return f"{words} (blur estimate {arrow}), changed by {facts['change']:.1f} of 255 levels{tips}"


def _mean(rows: list[dict], name: str) -> float | None:
    values = [row[name] for row in rows if row[name] is not None]
    return sum(values) / len(values) if values else None


def models(rows: list[dict]) -> str:
    """A table of models.

    Args:
        rows: as in ``catalogue.models``, their costs included.
    """
    width = max(len(row["id"]) for row in rows)
    lines = [f"{'model':{width}} {'parameters':>11} {'GMACs':>7} {'frames':>6} {'steps':>5}  {'blur':13}  weights"]
    for row in rows:
        line = (
            f"{row['id']:{width}} {row['parameters']:>11,} {row['gmacs']:>7.1f} {row['frames']:>6} {row['steps']:>5}  "
            f"{row['trained_for']:13}  {weights(row)}"
        )
        lines.append(line if len(line) <= TABLE_WIDTH else line[: TABLE_WIDTH - 3] + "...")
    lines += [
        "",
        "GMACs: multiply-accumulates of a step at 256 x 256, in 10^9. All that is known of a model: models --json",
        "needs training: python -m training train RECIPE.toml --data FOLDER, with the model's name in the recipe",
    ]
    return "\n".join(lines)


def weights(row: dict) -> str:
    """What is to be said of a model's weights, in about 45 letters."""
    if row["parameters"] == 0:
        return "nothing to learn"
    if row["problem"]:
        return "damaged"
    if row["needs"]:
        _, _, fetching = row["needs"].partition(", or python -m deblur_demo ")
        return "needs training" + (f", or: {fetching}" if fetching else "")
    psnrs = (figures["psnr"] for figures in row["metrics"].values() if figures.get("psnr"))  # of input and steps
    gains = (f"{psnr[0]:.2f} -> {max(psnr):.2f} dB, " for psnr in psnrs)
    return next(gains, "") + (row["licence"] or "on the Hub")
