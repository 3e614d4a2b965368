"""Training of the published models, by their authors' recipe as far as few objects allow it.

Maninis et al., "Deep Extreme Cut", CVPR 2018, section 3: four extreme points as a heat map beside the colours, crops
with 50 pixels around the object stretched to 512 x 512, class-balanced cross entropy. What those models were not
trained for cannot be taught to them here either: boxes, clicks, strokes, corrections, a score.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from ..errors import DataError
from ..frame import Frame
from ..models.deeplab import DextrNet
from ..models.heads import PromptNet, TrainingOutput
from ..models.spec import ModelSpec
from ..simulation import box_of
from .batch import Batch, Marks, assemble
from .crops import OBJECT, CropStore
from .openings import Matrix, open_prompt
from .optimisation import Weights
from .sampling import Sampler
from .validation import EXACT, UNCHANGED, Hand, crop_points

_NONE = np.zeros((0, 2))
_PREFIX = "network."
_FWHM = 10.0  # of a point's Gaussian, pixels of the canvas (`napari_dextr.models.published`)
_STRETCHED = 1e6  # their crops fill the canvas, whatever shape they have


class PublishedNet(PromptNet):
    """A published network behind what the training asks of a network.

    Parameters
    ----------
    network : DextrNet
    spec : ModelSpec
    """

    architecture = "dextr-resnet101"

    def __init__(self, network: DextrNet, spec: ModelSpec) -> None:
        super().__init__()
        self.network = network
        self.options = dict(spec.options)
        self.sharpness = 1.0
        self.side = spec.canvas
        self.margin = float(spec.margin)

    @property
    def stride(self) -> int:
        return 8

    def check_canvas(self, side: int) -> None:
        """Refuse any canvas but the model's own: it is not asked at another size later.

        Raises
        ------
        DataError
        """
        if side != self.side:
            raise DataError(f"This model is trained at its own canvas of {self.side} pixels; leave out --canvas.")

    def forward(self, canvas: Tensor) -> tuple[Tensor, Tensor]:
        """Logits ``(B, 1, S, S)`` of ``(B, 4, S, S)``, and zeros in place of a score."""
        coarse: Tensor = self.network(canvas)
        # as their pipeline enlarges it
        logits = functional.interpolate(coarse.float(), size=canvas.shape[2:], mode="bilinear", align_corners=True)
        return logits, logits.new_zeros(len(logits))

    def forward_training(self, canvas: Tensor, sides: bool = True) -> TrainingOutput:
        logits, score = self(canvas)
        return TrainingOutput(logits, (), score)

    def features(self, canvas: Tensor) -> list[Tensor]:
        raise NotImplementedError("the heads are the network's own")

    @staticmethod
    def stripped(weights: Weights) -> Weights:
        """The weights under the names of `DextrNet`."""
        return {name.removeprefix(_PREFIX): value for name, value in weights.items()}


class PublishedBatch(Batch):
    """A batch whose images are 0..255, black beyond the image; its marks are extreme points alone."""

    def inputs(self) -> Tensor:
        """The network's ``(B, 4, S, S)`` input: the colours and the heat map of the points, 0..255."""
        size = self.images.shape[-1]
        heat = np.stack([_heat_map(mark.outline, size) for mark in self.marks])
        return torch.cat([self.images, torch.from_numpy(heat)[:, None].to(self.images.device)], dim=1)


@dataclass(frozen=True)
class PublishedSampler(Sampler):
    """Draws batches as the authors did (section 4.2): mirrored, turned by up to 20 degrees, nearer and farther.

    Objects of groups without an upright are turned by any angle.

    Attributes
    ----------
    margin : float
        Pixels of the image kept around the points.
    """

    margin: float = 50.0

    def draw(self, count: int, size: int, seed: tuple[int, ...], device: torch.device | str = "cpu") -> Batch:
        """``count`` samples on a canvas of ``size``; the same seed gives the same batch, from any thread."""
        rng = np.random.default_rng(seed)
        indices = [int(index) for index in rng.integers(len(self.store), size=count)]
        frames, marks = [], []
        for index in indices:
            flags = self.store.masks[index]
            free = self.store.names[int(self.store.groups[index])] in self.turning
            turn = _turn(rng.uniform(-180, 180) if free else rng.uniform(-20, 20), mirrored=bool(rng.random() < 0.5))
            native = 0.0 if self.store.sides is None else float(self.store.sides[index])
            points = open_prompt("extreme", (np.asarray(flags) & OBJECT) > 0, turn, rng, native).outline
            frame, placed = _framed(self.store, index, points, size, self.margin * rng.uniform(0.75, 1.25), turn)
            frames.append(frame)
            marks.append(placed)
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        batch = assemble(
            self.store, indices, frames, marks, self.photometric, generator, device=device, standardised=False
        )
        return PublishedBatch(**vars(batch))


def published_look(
    store: CropStore, indices: list[int], size: int, hand: Hand = EXACT, *, margin: float = 50.0
) -> Batch:
    """Crops upright and unchanged, with the extreme points of a hand, framed as the published models see them."""
    frames, marks = [], []
    for index in indices:
        frame, placed = _framed(store, index, crop_points(store, index, hand), size, margin, np.eye(2))
        frames.append(frame)
        marks.append(placed)
    batch = assemble(store, indices, frames, marks, UNCHANGED, torch.Generator(), standardised=False)
    return PublishedBatch(**vars(batch))


def _framed(
    store: CropStore, index: int, points: npt.NDArray[np.float64], size: int, margin: float, turn: Matrix
) -> tuple[Frame, Marks]:
    """Frame and marks of points in the turned copy of a crop; ``margin`` in pixels of the image."""
    flags = store.masks[index]
    bounds = box_of(points)
    native = 0.0 if store.sides is None else float(store.sides[index])
    longer = max(bounds[2] - bounds[0], bounds[3] - bounds[1]) + 1
    border = margin * (longer / native if native else 1.0)
    frame = Frame.around(
        bounds, size, (flags.shape[0], flags.shape[1]), margin=0.0, least=border, stretch=_STRETCHED, turn=turn
    )
    return frame, Marks(frame.to_canvas(points @ turn), _NONE, _NONE, None)


def _turn(degrees: float, mirrored: bool) -> Matrix:
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return turn @ np.diag([1.0, -1.0]) if mirrored else turn


def _heat_map(points: npt.NDArray[np.float64], size: int) -> npt.NDArray[np.float32]:
    centres = np.trunc(points)
    grid = np.arange(size)
    squared = (grid - centres[:, :1])[:, :, None] ** 2 + (grid - centres[:, 1:])[:, None, :] ** 2
    heat = np.exp(-4 * np.log(2) * squared.min(axis=0) / _FWHM**2)
    heat -= heat.min()
    stretched: npt.NDArray[np.float32] = (heat * (255 / max(float(heat.max()), 1e-6))).astype(np.float32)
    return stretched
