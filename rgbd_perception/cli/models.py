"""``rgbd-perception models``: the networks by name, and the authors' weights into them."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from rgbd_perception.cli.output import add_json_argument, text_output, with_examples, write_json
from rgbd_perception.errors import UserError

NAME = "models"
HELP = "the networks by name, and the authors' weights into them"
EPILOG = """examples:
  rgbd-perception models list
  rgbd-perception models list --measure --json models.json
  rgbd-perception models import dveformer_reducedres dveformer_reducedres_mixed.pth.tar.gz
  rgbd-perception models import dveformer_fullres full.pth.tar.gz --linear-probe probe_nyuv2.pth.tar.gz
  rgbd-perception models import emsaformer_multitask_mlp scannet.pth.tar.gz --classes 20

Weights are not downloaded: get the authors' file from their page, under their terms.
"""

DATA_SETS = ("nyuv2", "sunrgbd", "scannet", "hypersim")
_MOST_MISFITS = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the two actions and their options."""
    actions = parser.add_subparsers(dest="action", metavar="list|import", required=True)
    listing = actions.add_parser(
        "list", help="all networks: size, published figures, licence, weights here", **with_examples(EPILOG)
    )
    listing.add_argument("--measure", action="store_true", help="count parameters and GMACs anew (a minute)")
    add_json_argument(listing)
    importing = actions.add_parser(
        "import", help="check the authors' file and store it as weights", **with_examples(EPILOG)
    )
    importing.add_argument("name", metavar="NAME", help="network, as in models list")
    importing.add_argument(
        "file", metavar="FILE", type=Path, help="the authors' file: .pth, .pth.tar or .pth.tar.gz"
    )
    importing.add_argument(
        "--linear-probe", metavar="FILE", type=Path, help="linear probe for the classes of a DVEFormer"
    )
    importing.add_argument(
        "--out",
        metavar="FILE",
        type=Path,
        help="where to write the .safetensors file (default: where NAME finds it)",
    )
    importing.add_argument(
        "--classes", metavar="N", type=int, help="keep 37 (SUN RGB-D) or 20 (ScanNet) of 40 classes"
    )
    importing.add_argument(
        "--mode", metavar="MODE", help="of DiffPixelFormer: released (default), stacked or paper"
    )
    importing.add_argument(
        "--modalities", metavar="A,B,C", help="of a network for DeLiVER, such as img,depth,event"
    )
    _add_depth_arguments(importing)
    add_json_argument(importing)


def _add_depth_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--trained-on",
        choices=DATA_SETS,
        help="depth statistics of this data set, for DVEFormer and EMSAFormer (default: NYUv2, or what the "
        "number of classes says)",
    )
    parser.add_argument(
        "--depth-mean", metavar="M", type=float, help="the input is (depth - mean) / std, in metres"
    )
    parser.add_argument("--depth-std", metavar="M", type=float, help="see there; 0.255: millimetres / 255")


def run(args: argparse.Namespace) -> int:
    """List or import."""
    with text_output(args.json):
        result, status = _list(args) if args.action == "list" else _import(args)
    write_json(args.json, result)
    return status


def _list(args: argparse.Namespace) -> tuple[dict[str, Any], int]:
    rows = [_describe(name, args.measure) for name in _names()]
    print(f"{'NAME':<30}{'PARAMETERS':>12}{'GMAC':>9}  {'WEIGHTS':<10}FAMILY")
    for row in rows:
        weights = "installed" if row["weights"] else "-"
        print(
            f"{row['name']:<30}{row['parameters']:>12,}{row['gmac']:>9.2f}  {weights:<10}{row['family']}"
            f"\n    {row['licence']}"
        )
        for figure in row["published"]:
            print(f"    {figure['value']:6.2f}  {figure['metric']}, {figure['data']} ({figure['source']})")
    print("GMAC: 10^9 multiply-accumulates for one pair of 480x640 images. Figures are the authors'.")
    return {"size": [480, 640], "measured": args.measure, "models": rows}, 0


def _names() -> list[str]:
    from rgbd_perception.models import list_models

    return list_models()


def _describe(name: str, anew: bool) -> dict[str, Any]:
    """One entry of the list; sizes counted where ``anew``."""
    from rgbd_perception.inference.weights import default_path
    from rgbd_perception.models.published import PUBLISHED

    facts = PUBLISHED[name]
    parameters, gmac = facts.parameters, facts.gmac
    if anew:
        from rgbd_perception.models.measure import measure

        parameters, gmac = measure(name)
    path = default_path(name)
    return {
        "name": name,
        "family": facts.family,
        "parameters": parameters,
        "gmac": round(gmac, 3),
        "published": [figure._asdict() for figure in facts.figures],
        "licence": facts.licence,
        "weights": str(path) if path.is_file() else None,
    }


def _import(args: argparse.Namespace) -> tuple[dict[str, Any], int]:
    from rgbd_perception.inference.importing import ImportOptions, MisfitError, import_weights

    options = ImportOptions(args.linear_probe, args.classes, _settings(args))
    try:
        imported = import_weights(args.name, args.file, args.out, options)
    except MisfitError as error:
        _print_misfits(error.misfits)
        print(f"error: {error}", file=sys.stderr)
        return {"error": str(error), "misfits": error.misfits}, 2
    info = imported.info
    print(f"{info.model_id}: all tensors fit, written to {imported.path}")
    print(f"card     {imported.card_path}")
    print(f"licence  {info.origin['licence']}")
    print(f"depth    {info.origin['preprocessing']['depth_note']}")
    if ignored := info.origin["ignored"]:
        print(f"ignored  {len(ignored)} tensors that this network does not have")
    card = {"settings": info.settings, "labels": info.labels, "text_space": info.text_space, **info.origin}
    return {"model_id": info.model_id, "path": imported.path, "card": imported.card_path, **card}, 0


def _settings(args: argparse.Namespace) -> dict[str, Any]:
    """Fields of the network's configuration that the user chose."""
    settings: dict[str, Any] = {}
    if args.trained_on is not None:
        settings |= _statistics(args.name, args.trained_on)
    if args.mode is not None:
        settings["mode"] = args.mode
    if args.modalities is not None:
        settings["modalities"] = [name.strip() for name in args.modalities.split(",")]
    if args.depth_mean is not None:
        settings["depth_mean"] = args.depth_mean
    if args.depth_std is not None:
        if not args.depth_std > 0:
            raise UserError(f"expected --depth-std in metres above 0, got {args.depth_std}")
        settings["depth_std"] = args.depth_std
    return settings


def _statistics(name: str, data_set: str) -> dict[str, float]:
    from rgbd_perception.inference.preprocessing_facts import DEPTH_STATISTICS

    if not name.startswith(("dveformer", "emsaformer")):
        raise UserError(f"--trained-on is for DVEFormer and EMSAFormer; say --depth-std for {name}")
    mean, std = DEPTH_STATISTICS[data_set]
    return {"depth_mean": mean, "depth_std": std}


def _print_misfits(misfits: dict[str, str]) -> None:
    """The first of them, to standard error."""
    for name, problem in list(misfits.items())[:_MOST_MISFITS]:
        print(f"  {name}: {problem}", file=sys.stderr)
    if len(misfits) > _MOST_MISFITS:
        print(f"  and {len(misfits) - _MOST_MISFITS} more; --json FILE has all", file=sys.stderr)
