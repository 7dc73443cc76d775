"""The layouts of the public deblurring sets as one table; ``recognise`` in its own file reads it.

A rule says by a template how a file lies; what lies anywhere else is a photo. ``{frame}`` stands
for part of a path without a slash, ``{clip:regex}`` for what the expression matches; every
template may stand below any folder, and suffixes do not matter. So several sets may share a folder.
"""

from __future__ import annotations

from dataclasses import dataclass

GOPRO_CLIP = r"GOPR\d{4}_\d\d_\d\d"


@dataclass(frozen=True)
class Rule:
    """One way in which files of a set lie.

    Attributes:
        role: "pairs", "frames" (240 fps) or "levels" (the temporal levels of a clip).
        files: template of the blurred picture, the frame or the level.
        truth: template of a pair's sharp picture; ``*`` in it stands for several of them.
        video: whether pictures of a folder follow one another, numbered by their ``{frame}``.
    """

    role: str
    files: str
    truth: str = ""
    video: bool = True


@dataclass(frozen=True)
class Layout:
    """A public set.

    Attributes:
        name: as the field calls it.
        tree: how it is expected to lie, drawn.
        origin: where it comes from.
        licence: what its page says.
        rules: how its files lie.
        test_clips: folders kept for testing by the authors' list, beside all that lie below test/ or val/.
        test_lists: pattern of the text files that list the test pairs.
        evaluation_only: whether nothing of it is for training.
    """

    name: str
    tree: str
    origin: str
    licence: str
    rules: tuple[Rule, ...] = ()
    test_clips: tuple[str, ...] = ()
    test_lists: str = ""
    evaluation_only: bool = False


LAYOUTS = (
    Layout(
        "GoPro",
        """train/GOPR0372_07_00/blur_gamma/000047.png    (blur/ is read where there is no blur_gamma/)
train/GOPR0372_07_00/sharp/000047.png
test/GOPR0384_11_00/...                       never trained on""",
        "https://seungjunnah.github.io/Datasets/gopro.html (GOPRO_Large; Nah 2017)",
        "CC BY 4.0",
        (
            Rule("pairs", "blur_gamma/{frame}", "sharp/{frame}"),
            Rule("pairs", f"{{clip:{GOPRO_CLIP}}}/blur/{{frame}}", "{clip}/sharp/{frame}"),
        ),
    ),
    Layout(
        "REDS",
        """train/train_blur/000/00000000.png
train/train_sharp/000/00000000.png
val/val_blur/... val/val_sharp/...            never trained on""",
        "https://seungjunnah.github.io/Datasets/reds.html (train_blur, train_sharp, val_blur, val_sharp; Nah 2019)",
        "CC BY 4.0",
        (
            Rule("pairs", "train_blur/{clip}/{frame}", "train_sharp/{clip}/{frame}"),
            Rule("pairs", "val_blur/{clip}/{frame}", "val_sharp/{clip}/{frame}"),
        ),
    ),
    Layout(
        "HIDE",
        """train/1fromGOPR0950.png
test/test-close-ups/*.png, test/test-long-shot/*.png   never trained on
GT/1fromGOPR0950.png""",
        "https://github.com/joanshen0508/HA_deblur (Shen 2019)",
        "none stated: ask the authors before publishing what was trained on it",
        (
            Rule("pairs", "train/{frame}", "GT/{frame}", video=False),
            Rule("pairs", "test/{set}/{frame}", "GT/{frame}", video=False),
        ),
    ),
    Layout(
        "RealBlur",
        """RealBlur-J_ECC_IMCORR_centroid_itensity_ref/scene001/{blur/blur_1.png, gt/gt_1.png}
RealBlur-R_BM3D_ECC_IMCORR_centroid_itensity_ref/...
RealBlur_J_test_list.txt, RealBlur_R_test_list.txt     the pairs never trained on""",
        "https://github.com/rimchang/RealBlur (Rim 2020)",
        "CC BY 4.0",
        (Rule("pairs", r"{clip:scene\d+}/blur/blur_{frame}", "{clip}/gt/gt_{frame}", video=False),),
        test_lists=r"RealBlur_([JR])_test_list\.txt",
    ),
    Layout(
        "DVD",
        """quantitative_datasets/IMG_0001/{input/00000.jpg, GT/00000.jpg}
quantitative_datasets/IMG_0003/...            and nine more clips, never trained on""",
        "https://www.cs.ubc.ca/labs/imager/tr/2017/DeepVideoDeblurring (Su 2017)",
        "none stated: ask the authors before publishing what was trained on it",
        (Rule("pairs", "{clip}/input/{frame}", "{clip}/GT/{frame}"),),
        # The split that the authors gave on request and everybody uses since.
        test_clips=(
            "720p_240fps_2",
            *(f"IMG_{n}" for n in ("0003", "0021", "0030", "0031", "0032", "0033", "0037", "0039", "0049")),
        ),
    ),
    Layout(
        "Lai",
        """uniform/manmade_01_kernel_01.png, nonuniform/manmade_01_gyro_01.png
ground_truth/manmade_01.png""",
        "http://vllab.ucmerced.edu/wlai24/cvpr16_deblur_study (Lai 2016); for evaluation only",
        "none stated; for evaluation only",
        (
            Rule(
                "pairs",
                r"{set:uniform|nonuniform}/{frame}_{blur:(?:kernel|gyro)_\d+}",
                "ground_truth/{frame}",
                video=False,
            ),
        ),
        evaluation_only=True,
    ),
    Layout(
        "Kohler",
        """BlurryImages/Blurry1_1.png ... Blurry4_12.png
Image1/Kernel1/GroundTruth1_1_1.png ...       every point of the camera's path; the nearest one counts""",
        "https://webdav.tuebingen.mpg.de/pixel/benchmark4camerashake (Koehler 2012); for evaluation only",
        "none stated; for evaluation only",
        (Rule("pairs", r"Blurry{image:\d}_{path:\d+}", "GroundTruth{image}_{path}_*", video=False),),
        evaluation_only=True,
    ),
    Layout(
        "own pairs",
        """<clip>/blur/000001.png
<clip>/sharp/000001.png                       of the same name; numbered pictures are taken for a clip
blur/<clip>/000001.png, sharp/<clip>/...      the clips inside
input/GOPR0372_07_00-000047.png, target/...   or in the names, as copies of GoPro have them""",
        "any folder of your own, in blur/ and sharp/ or input/ and target/; so do many copies of the sets above lie",
        "yours",
        (
            Rule("pairs", "blur/{frame}", "sharp/{frame}"),
            Rule("pairs", "input/{frame}", "target/{frame}"),
            Rule("pairs", "blur/{clip}/{frame}", "sharp/{clip}/{frame}"),
            Rule("pairs", "input/{clip}/{frame}", "target/{clip}/{frame}"),
            Rule("pairs", "{part:train|test}_GT_blurred/{clip}/{frame}", "{part}_GT/{clip}/{frame}"),
            # Several crops of each picture, which do not follow one another.
            Rule("pairs", "blur_crops/{frame}", "sharp_crops/{frame}", video=False),
            Rule("pairs", "input_crops/{frame}", "target_crops/{frame}", video=False),
        ),
    ),
    # Before frames, which lie at any depth below a folder: levels made of them do, too.
    Layout(
        "T-GoPro",
        """train/<clip>/TL1/000013.png                   the sharp middle frame, by its number in the clip
train/<clip>/TL3/000013.png  ...  TL13/000013.png""",
        "python -m training prepare GOPRO_Large_all --temporal T-GoPro (Park 2020)",
        "as the clips that it is made of",
        (Rule("levels", r"TL{level:\d+}/{frame}"),),
    ),
    Layout(
        "GoPro 240 fps",
        """train/GOPR0374_11_00/000001.png               (GOPRO_Large_all; make T-GoPro of it with prepare --temporal)
any_240fps_folder/**/000001.png               one's own: "240fps" in the name of a folder above""",
        "https://seungjunnah.github.io/Datasets/gopro.html (GOPRO_Large_all)",
        "CC BY 4.0",
        (
            Rule("frames", f"{{clip:{GOPRO_CLIP}}}/{{frame}}"),
            Rule("frames", "{set:(?i:[^/]*240fps[^/]*)}/{clips:(?:[^/]+/)*}{frame:[^/]*[0-9]}"),
        ),
    ),
    Layout(
        "own photos",
        """photos/**/*.jpg                               sharp pictures, or frames of sharp clips""",
        "any folder of your own; Urban100 (Huang 2015) and Kodak are usual",
        "yours; Flickr Creative Commons; unrestricted",
    ),
    Layout(
        "CIFAR-10",
        """cifar-10-batches-py/data_batch_1 ... data_batch_5, test_batch
or an .npz with x_train and x_test            (K, 32, 32, 3) uint8""",
        "https://www.cs.toronto.edu/~kriz/cifar.html (python version; Krizhevsky 2009)",
        "none stated",
    ),
)


KEPT_BACK = """Never trained on, in any layout
    what lies below a folder called test, val, validation or eval, or test_..., ..._test and so on
    GoPro's eleven test clips; other clips of their scenes are taken below a folder train/ only
    GOPR0372_07_00 from number 110 on, where clips are evaluated; GOPRO_Large_all counts the frames
      of this clip from 323, so there all of it
    REDS' clip 003, which photos are evaluated on
    ten photos of Kodak and Urban100, which the validation set "motion" is made of
  This goes by names: a copy of GoPro without its clips' names is split by its folders alone."""


def origins() -> str:
    """Where each set comes from, its licence and its tree, and what is kept back, for ``prepare --help``."""
    sets = (
        f"{layout.name}\n  from     {layout.origin}\n  licence  {layout.licence}\n{indented(layout.tree, 4)}"
        for layout in LAYOUTS
    )
    return "\n\n".join([*sets, KEPT_BACK])


def indented(text: str, by: int) -> str:
    return "\n".join(" " * by + line for line in text.splitlines())
