"""What is drawn about a shake: right pixels, right points."""

from __future__ import annotations

import base64
import re

import cv2
import numpy as np

from deblur_demo.ui.lab import text as lab_text
from deblur_demo.ui.lab import views as lab_views


def test_the_kernel_keeps_its_size_and_its_strongest_pixel_is_white():
    weights = np.zeros((9, 9), np.float32)
    weights[4, 3:6] = 0.25, 0.5, 0.25
    html = lab_views.kernel(weights, notices=["<script>alert(1)</script>"])
    png = base64.b64decode(re.search(r"base64,([^\"]+)", html)[1])
    picture = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert picture.shape == (9, 9) and picture[4, 3:6].tolist() == [128, 255, 128] and picture.sum() == 511
    assert "9 × 9 px" in html and "<script" not in html


def test_a_result_that_is_worse_than_the_blur_is_called_so_and_the_best_step_named():
    worse = "Done in 3.0 s: 26.55 → 26.08 dB PSNR, worse than the blurred photo."
    assert lab_text.deblurred(3, [26.55, 26.7, 26.9, 26.08]) == f"{worse} The best is step 2 with 26.90 dB."
    assert lab_text.deblurred(3, [26.55, 26.2, 26.08]) == f"{worse} So is every step; the best of them is step 1."
    assert lab_text.deblurred(3, [26.55, 26.08]) == worse
    for scores, line in (
        ([26.55, 27.3, 27.1], "Done in 3.0 s: 26.55 → 27.10 dB PSNR."),
        ([26.551, 26.549], "Done in 3.0 s: 26.55 → 26.55 dB PSNR."),
        ([None, 40.0], "Done: 1 iteration in 3.0 s."),
    ):
        assert lab_text.deblurred(3, scores) == line
