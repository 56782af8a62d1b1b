"""`dpsynth images`: from labelled grey images to a release, on the same ledger as tables."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dpsynth.base.places import keep_apart, new_file
from dpsynth.cli.common import (
    Approvals,
    CertificateFolder,
    Delta,
    Epsilon,
    Json,
    LedgerFile,
    ModelFile,
    PageFolder,
    Purpose,
    Seed,
    from_project,
    output_file,
    print_json,
    say,
    say_drawn,
)
from dpsynth.cli.fitting import fit_and_keep, job_of
from dpsynth.cli.progress import Progress, following

if TYPE_CHECKING:
    from dpsynth.synthesizers.image import ImageSynthesizer

images_app = typer.Typer(
    no_args_is_help=True, help="Release small labelled grey images (.npz): docs/images.md."
)

Images = Annotated[
    Path,
    typer.Argument(
        help="A .npz with images (uint8, n x height x width), labels (n), and, if known, ids (n)."
    ),
]
Classes = Annotated[
    int, typer.Option(help="How many classes there are, a public fact: labels are 0 to one less.")
]
Shape = Annotated[str, typer.Option(help="HEIGHTxWIDTH of an image, such as 28x28.")]
Mechanism = Annotated[
    str, typer.Option(help="auto (image-embedding), or dp-gan (needs PyTorch: the extra gan).")
]
Unit = Annotated[
    str | None,
    typer.Option(help="What an id stands for, such as patient; without it, ids are not used."),
]
MaxRecords = Annotated[int, typer.Option(help="The most images that are used of one unit.")]

_UNREADABLE = (ValueError, OSError, EOFError, AttributeError, TypeError)
"""What `numpy.load` raises for files that are damaged or of another kind."""


@images_app.command("fit")
def fit(
    data: Images,
    classes: Classes,
    shape: Shape,
    epsilon: Epsilon,
    delta: Delta,
    output: ModelFile,
    mechanism: Mechanism = "auto",
    unit: Unit = None,
    max_records: MaxRecords = 1,
    ledger: LedgerFile = None,
    purpose: Purpose = "",
    approval: Approvals = None,
    certificate: CertificateFolder = None,
    progress: Progress = None,
    as_json: Json = False,
) -> None:
    """Fit a model of images, which spends the budget. Sampling from the model costs nothing."""
    job = job_of(from_project(ledger=ledger)["ledger"], purpose, approval)
    synthesizer = _synthesizer(classes, shape, epsilon, delta, mechanism, unit, max_records, **job)
    arrays = _arrays(data)
    fit_and_keep(
        synthesizer,
        lambda: synthesizer.fit(arrays["images"], arrays["labels"], arrays.get("ids")),
        output=output,
        certificate=certificate,
        progress=progress,
        as_json=as_json,
    )


@images_app.command("plan")
def plan(
    classes: Classes,
    shape: Shape,
    epsilon: Epsilon,
    delta: Delta,
    rows: Annotated[
        int, typer.Option(help="About how many images there are: a guess that is no secret.")
    ],
    mechanism: Mechanism = "auto",
    unit: Unit = None,
    max_records: MaxRecords = 1,
    as_json: Json = False,
) -> None:
    """Say what a fit would spend, and how noisy its answers would be.

    Opens no data, costs nothing.
    """
    synthesizer = _synthesizer(classes, shape, epsilon, delta, mechanism, unit, max_records)
    made = synthesizer.plan(rows)
    if as_json:
        print_json(made.record())
    else:
        say(made.summary())


@images_app.command("sample")
def sample(
    model: Annotated[Path, typer.Argument(help="A model that `images fit` wrote.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="A .npz, with images and labels.")],
    n: Annotated[int | None, typer.Option("-n", help="Images; by default the noisy count.")] = None,
    label: Annotated[int | None, typer.Option(help="One class for all of them.")] = None,
    seed: Seed = None,
    sheet: Annotated[
        Path | None, typer.Option(help="A .png with the first images of each class.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Draw synthetic images from a model: any number, at no further cost."""
    import numpy as np

    from dpsynth.evaluation.images.sheets import contact_sheet
    from dpsynth.evidence.manifest import add_lines, line_of
    from dpsynth.synthesizers.drawing import draw_images_to
    from dpsynth.synthesizers.image import ImageSynthesizer

    output_file(output, ".npz")
    if sheet is not None:
        new_file(sheet, "remove it, or choose another name with --sheet")
    keep_apart({"the images": output, "the sheet": sheet})
    synthesizer = ImageSynthesizer.load(model)
    drawn = draw_images_to(output, synthesizer, n, label=label, seed=seed)
    if sheet is not None:
        with np.load(output) as file:
            sheet.write_bytes(contact_sheet(file["images"], file["labels"]))
        listed = line_of(sheet, "sheet", model=synthesizer.certificate.model)
        drawn = replace(drawn, head=add_lines(sheet.parent, listed))
    say_drawn(drawn, "images", as_json)


@images_app.command("evaluate")
def evaluate(
    synthetic: Annotated[Path, typer.Argument(help="Synthetic images, .npz.")],
    real: Annotated[Path, typer.Argument(help="Real images, .npz.")],
    output: PageFolder = Path("quality"),
    holdout: Annotated[
        Path | None,
        typer.Option(help="Real images that had no part in the release, .npz: see docs/images.md."),
    ] = None,
    network: Annotated[
        bool,
        typer.Option(
            "--network", help="Train a convolutional network as well: minutes, and the extra gan."
        ),
    ] = False,
    show_real: Annotated[
        bool, typer.Option("--show-real", help="Put real images on the page as well.")
    ] = False,
    progress: Progress = None,
    as_json: Json = False,
) -> None:
    """Compare synthetic with real images. INTERNAL: exact figures of private images."""
    from dpsynth.evaluation.images.quality import evaluate_images

    ours = _arrays(synthetic)
    theirs = _arrays(real)
    others = {} if holdout is None else _arrays(holdout)
    with following(progress):
        quality = evaluate_images(
            ours["images"],
            ours["labels"],
            theirs["images"],
            theirs["labels"],
            holdout_images=others.get("images"),
            holdout_labels=others.get("labels"),
            network=network,
            show_real=show_real,
        )
        quality.save(output)
    if as_json:
        print_json(quality.record)
        return
    say(quality.summary())
    say(f"{output / 'images.html'}: INTERNAL, compares with real images")


def _synthesizer(
    classes: int,
    shape: str,
    epsilon: float,
    delta: float,
    mechanism: str,
    unit: str | None,
    max_records: int,
    **job: Any,
) -> ImageSynthesizer:
    from dpsynth.kernel.unit import PrivacyUnit
    from dpsynth.synthesizers.image import ImageSynthesizer

    height, x, width = shape.partition("x")
    if not (x and height.isdecimal() and width.isdecimal()):
        raise ValueError(f"--shape must be HEIGHTxWIDTH, such as 28x28, got {shape!r}")
    return ImageSynthesizer(
        classes=classes,
        shape=(int(height), int(width)),
        epsilon=epsilon,
        delta=delta,
        mechanism=mechanism,
        unit=PrivacyUnit(unit, max_records),
        **job,
    )


def _arrays(path: Path) -> dict[str, Any]:
    """The arrays of a .npz; nothing in it is executed.

    ValueError, in one sentence, for any other file.
    """
    import zipfile
    import zlib

    import numpy as np

    if not path.is_file():
        raise ValueError(f"{path} is not a file: give a .npz with the arrays images and labels")
    try:
        with np.load(path, allow_pickle=False) as file:
            found = {name: file[name] for name in ("images", "labels", "ids") if name in file.files}
    except (*_UNREADABLE, zipfile.BadZipFile, zlib.error):
        raise ValueError(
            f"{path} is not a .npz of plain arrays: write it with numpy.savez, without objects"
        ) from None
    if lacking := [name for name in ("images", "labels") if name not in found]:
        raise ValueError(
            f"{path} has no array {lacking[0]!r}: write it with"
            f" numpy.savez({path.name!r}, images=..., labels=...)"
        )
    return found
