"""One model of several that were trained from the same start, each on objects of its own kind.

The weights of the start are moved by a share of the way to each of them. A small network that gains nothing when it
is trained on all kinds at once still has most of what each kind gains by itself (docs/ablation.md).

    python tools/merge_models.py merged.safetensors --start embedded --add 0.3 RUN_A --add 0.2 RUN_B

A model is a name, a file or a run folder. How the result is run is as with the start. The others may have further
blocks in their encoders, all the same ones; then the result has them, too.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from napari_dextr.models import open_network
from napari_dextr.models.checkpoint import write_checkpoint
from napari_dextr.training.blending import deepened, merged


def main() -> None:
    options = _options()
    spec, network = open_network(options.start)
    others = [(float(share), open_network(model)[1]) for share, model in options.add]
    result = others[0][1]
    start = deepened(network.state_dict(), result.state_dict())
    result.load_state_dict(merged(start, [(share, other.state_dict()) for share, other in others]))
    facts = {**spec.provenance, "merged": len(others)}
    write_checkpoint(options.out, result, replace(spec, options=result.options, provenance=facts))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--start", default="embedded", help="the model that all were trained from")
    parser.add_argument("--add", nargs=2, action="append", required=True, metavar=("SHARE", "MODEL"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
