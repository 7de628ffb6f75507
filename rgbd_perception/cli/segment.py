"""``rgbd-perception segment``: one pair of color and depth images to masks, a picture and embeddings."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rgbd_perception.cli.output import (
    add_json_argument,
    add_model_argument,
    add_untrained_argument,
    text_output,
    warn_untrained,
    write_json,
)
from rgbd_perception.errors import FrameDropped, UserError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    from rgbd_perception.frame import Prediction, RgbdFrame
    from rgbd_perception.inference import Predictor
    from rgbd_perception.vocabulary import Vocabulary

NAME = "segment"
HELP = "one pair of color and depth images to masks, a picture and embeddings"
EPILOG = """examples:
  rgbd-perception segment color.png depth.png --out out/segment
  rgbd-perception segment color.png depth.png --out out --labels "sofa,floor,wall,something to drink from"

DIR gets
  labels.png      16 bit class ids, 0-based; their names are in the JSON and in embeddings.npz
  confidence.png  8 bit, 255 = certain
  masks.png       the classes in colour
  legend.csv      id, name, color (#rrggbb) and pixels of every class
  overlay.png     masks over the image with the names of the largest classes, for people
  embeddings.npz  embedding (h, w, D) float16, stride, label_names, model_id, text_space; not from networks
                  that have classes only
"""
LEGEND_ENTRIES = 16


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("color", metavar="COLOR", type=Path, help="color image, PNG or JPEG")
    parser.add_argument(
        "depth",
        metavar="DEPTH",
        type=Path,
        help="depth image registered to it, 16 bit PNG, 0 = no measurement",
    )
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="folder for the results")
    add_model_argument(parser)
    add_untrained_argument(parser)
    parser.add_argument("--backend", default="auto", help="what runs the network (default %(default)s)")
    parser.add_argument(
        "--labels",
        metavar="A,B,C",
        help="class names of the masks, compared by text (default: the network's own)",
    )
    parser.add_argument(
        "--depth-scale",
        metavar="S",
        type=float,
        default=0.001,
        help="metres of one unit of the depth image (default %(default)s)",
    )
    add_json_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Do it. Raises UserError for files that cannot be used."""
    with text_output(args.json):
        frame = _read_frame(args.color, args.depth, args.depth_scale)
        labels = None if args.labels is None else [name.strip() for name in args.labels.split(",")]

        from rgbd_perception.inference import Predictor

        predictor = Predictor(args.model, backend=args.backend, labels=labels, untrained=args.untrained)
        warn_untrained(predictor.model_id)
        prediction = _predict(predictor, frame)
        files = _write_results(args.out, frame, prediction, predictor.vocabulary)
        result = _summary(prediction, predictor.vocabulary, files)
        for entry in result["classes"][:LEGEND_ENTRIES]:
            score = f"confidence {entry['confidence']:.2f}"
            print(f"{entry['share']:7.1%}  {entry['color']}  {entry['label']:<20} {score}")
        *others, last = files
        print(f"{', '.join(others)} and {last} are in {args.out}")
    write_json(args.json, result)
    return 0


def _read_frame(color_path: Path, depth_path: Path, depth_scale: float) -> RgbdFrame:
    from rgbd_perception.frame import CameraIntrinsics, RgbdFrame
    from rgbd_perception.sources.images_io import read_color, read_depth

    if not 0 < depth_scale < 1:
        raise UserError(f"expected a --depth-scale in metres, such as 0.001, got {depth_scale}")
    try:
        color = read_color(color_path)
        depth = read_depth(depth_path) * (1000.0 * depth_scale)
        height, width = color.shape[:2]
        # Networks do not look at the intrinsics; a frame only has to have some.
        intrinsics = CameraIntrinsics(width, width, (width - 1) / 2, (height - 1) / 2, width, height)
        return RgbdFrame(color, depth.astype("float32"), intrinsics)
    except FrameDropped as error:
        raise UserError(f"cannot use {color_path} with {depth_path}: {error}") from error


def _predict(predictor: Predictor, frame: RgbdFrame) -> Prediction:
    try:
        return predictor(frame)
    except FrameDropped as error:
        raise UserError(f"the network cannot be used on this pair: {error}") from error


def _write_results(
    folder: Path, frame: RgbdFrame, prediction: Prediction, vocabulary: Vocabulary
) -> dict[str, str]:
    """Write the files; returns their paths by kind."""
    import numpy as np
    from PIL import Image

    from rgbd_perception.viewer.legend import write_legend
    from rgbd_perception.viewer.masks import colorize

    assert prediction.labels is not None and prediction.confidence is not None  # asked for
    files = {
        "labels": folder / "labels.png",
        "confidence": folder / "confidence.png",
        "masks": folder / "masks.png",
        "legend": folder / "legend.csv",
        "overlay": folder / "overlay.png",
    }
    if prediction.embedding is not None:
        files["embeddings"] = folder / "embeddings.npz"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(prediction.labels).save(files["labels"])
        Image.fromarray(np.rint(255 * prediction.confidence).astype(np.uint8)).save(files["confidence"])
        Image.fromarray(colorize(prediction.labels, vocabulary)).save(files["masks"])
        write_legend(files["legend"], prediction.labels, vocabulary)
        _picture(frame.color, prediction.labels, vocabulary).save(files["overlay"])
        if prediction.embedding is not None:
            np.savez_compressed(
                files["embeddings"],
                embedding=prediction.embedding,
                stride=prediction.stride,
                label_names=np.array(vocabulary.names),
                model_id=prediction.model_id,
                text_space=prediction.text_space,
            )
    except OSError as error:
        raise UserError(f"cannot write to {folder}: {error.strerror or error}") from error
    return {kind: str(path) for kind, path in files.items()}


def _picture(color: NDArray[np.uint8], labels: NDArray[np.integer], vocabulary: Vocabulary) -> Image.Image:
    """Masks over the image, and the names of the largest classes below it."""
    from PIL import Image, ImageDraw, ImageFont

    from rgbd_perception.viewer.masks import largest_classes, overlay

    height, width = color.shape[:2]
    size = max(12, width // 45)
    font = ImageFont.load_default(size)
    columns = max(1, width // (11 * size))
    shown = largest_classes(labels, vocabulary, LEGEND_ENTRIES)
    rows = -(-len(shown) // columns)
    picture = Image.new("RGB", (width, height + round(1.6 * size * rows) + size), (255, 255, 255))
    picture.paste(Image.fromarray(overlay(color, labels, vocabulary)), (0, 0))
    draw = ImageDraw.Draw(picture)
    for place, label in enumerate(shown):
        x = size // 2 + place % columns * (width // columns)
        y = height + size // 2 + round(1.6 * size) * (place // columns)
        swatch = tuple(int(value) for value in vocabulary.colors[label])
        draw.rectangle((x, y, x + size, y + size), fill=swatch)
        draw.text((x + 1.5 * size, y - 1), vocabulary.names[label], fill=(28, 30, 34), font=font)
    return picture


def _summary(prediction: Prediction, vocabulary: Vocabulary, files: dict[str, str]) -> dict[str, Any]:
    """The JSON object."""
    import numpy as np

    from rgbd_perception.viewer.legend import hex_color
    from rgbd_perception.viewer.masks import largest_classes

    assert prediction.labels is not None and prediction.confidence is not None
    classes = []
    for label in largest_classes(prediction.labels, vocabulary, len(vocabulary)):
        inside = prediction.labels == label
        classes.append(
            {
                "id": label,
                "label": vocabulary.names[label],
                "color": hex_color(vocabulary.colors[label]),
                "pixels": int(inside.sum()),
                "share": float(inside.mean()),
                "confidence": float(np.mean(prediction.confidence[inside])),
            }
        )
    return {
        "model_id": prediction.model_id,
        "text_space": prediction.text_space,
        "vocabulary_id": prediction.vocabulary_id,
        "label_names": list(vocabulary.names),
        "size": list(prediction.labels.shape),
        "stride": prediction.stride,
        "classes": classes,
        "latency_ms": prediction.step_ms,
        "files": files,
    }
