"""The catalogue: in which order a visitor finds what there is."""

from __future__ import annotations

import random

from deblur_demo import catalogue


def row(name: str, ready: bool = True, parameters: int = 1, blur: str = "motion", psnr: tuple[float, ...] = ()) -> dict:
    metrics = {"set": {"psnr": list(psnr)}, "later": {"psnr": [0.0, 99.0]}} if psnr else {}
    return {"id": name, "ready": ready, "parameters": parameters, "trained_for": blur, "metrics": metrics}


def test_rows_are_ordered_by_what_they_are_good_for():
    wanted = [
        row("default", psnr=(24.0, 25.0)),
        row("gains 2 dB", blur="motion, video", psnr=(24.0, 25.9, 26.0)),
        row("gains 1 dB", psnr=(30.0, 31.0)),
        row("not measured"),
        row("Gaussian", blur="Gaussian", psnr=(20.0, 29.0)),
        row("classic", parameters=0),
        row("not ready", ready=False),
        row("not ready, Gaussian", ready=False, blur="Gaussian"),
    ]
    for seed in range(5):
        shuffled = random.Random(seed).sample(wanted, len(wanted))
        assert catalogue.by_use(shuffled, "default") == wanted
