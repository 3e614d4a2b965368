"""One model of several that were trained from the same start, each on objects of its own kind.

The weights of the start are moved by a share of the way to each of them. A small network that gains nothing when it
is trained on all kinds at once still has most of what each kind gains by itself (docs/ablation.md).

    python tools/merge_models.py merged.safetensors --start embedded --add 0.3 RUN_A --add 0.2 RUN_B

A model is a name, a file or a run folder. How the result is run is as with the start.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from napari_dextr.models import open_network
from napari_dextr.models.checkpoint import write_checkpoint
from napari_dextr.training.blending import merged


def main() -> None:
    options = _options()
    spec, network = open_network(options.start)
    specialists = [(float(share), open_network(model)[1].state_dict()) for share, model in options.add]
    network.load_state_dict(merged(network.state_dict(), specialists))
    write_checkpoint(options.out, network, replace(spec, provenance={**spec.provenance, "merged": len(specialists)}))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--start", default="embedded", help="the model that all were trained from")
    parser.add_argument("--add", nargs=2, action="append", required=True, metavar=("SHARE", "MODEL"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
