"""What is drawn about a shake: right pixels, right points."""

from __future__ import annotations

import base64
import re

import cv2
import numpy as np

from deblur_demo.ui.lab import views as lab_views


def test_the_kernel_keeps_its_size_and_its_strongest_pixel_is_white():
    weights = np.zeros((9, 9), np.float32)
    weights[4, 3:6] = 0.25, 0.5, 0.25
    html = lab_views.kernel(weights, notices=["<script>alert(1)</script>"])
    png = base64.b64decode(re.search(r"base64,([^\"]+)", html)[1])
    picture = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert picture.shape == (9, 9) and picture[4, 3:6].tolist() == [128, 255, 128] and picture.sum() == 511
    assert "9 × 9 px" in html and "<script" not in html
