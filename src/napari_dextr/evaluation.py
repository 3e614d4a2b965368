"""How good a model is on annotated images: simulated marks in, agreement with the annotation out.

The marks come from the project's one `Simulator`. Every figure stands beside the baselines that learn nothing,
because on round cells an ellipse is already good: what counts is the share of their error that the model removes.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .baselines import BASELINES, Mask, has_grabcut
from .coco import CocoDataset, CocoObject, open_annotated
from .errors import DataError, PromptError
from .metrics import boundary_f, iou
from .prompt import Prompt
from .simulation import Simulator

if TYPE_CHECKING:
    from .segmenter import Segmentation, Segmenter

PROMPTS = ("extreme", "box", "inside-outside", "clicks")
"""Kinds of simulated prompt."""

GOOD = 0.85
"""IoU from which a mask counts as good: few annotators would still correct it."""


def available_baselines() -> tuple[str, ...]:
    """Names of the baselines that can run here: all, or all but GrabCut where OpenCV is not installed."""
    return tuple(name for name in BASELINES if name != "grabcut" or has_grabcut())


@dataclass(frozen=True)
class Settings:
    """What is evaluated, and how.

    Attributes
    ----------
    prompt : str
        One of `PROMPTS`.
    jitter : float
        Standard deviation of the marks' error as a share of the object's longer side; 0 gives ideal marks. With
        jitter, extreme points also fall anywhere near the extremum, as those of people do.
    min_area : float
        Smaller objects (pixels) are left out.
    max_per_image, limit : int or None
        At most so many objects of one image, and in all, drawn at random.
    seed : int
        Seed of that draw and of the marks; each object's marks depend on it and the object's id only.
    baselines : tuple of str
        Names in `napari_dextr.baselines.BASELINES`, by default all that can run here. None apply to clicks, which
        enclose nothing.
    correction : bool
        Also give the first correcting mark and measure its gain.
    """

    prompt: str = "extreme"
    jitter: float = 0.0
    min_area: float = 0.0
    max_per_image: int | None = None
    limit: int | None = None
    seed: int = 0
    baselines: tuple[str, ...] = field(default_factory=available_baselines)
    correction: bool = True

    def __post_init__(self) -> None:
        if self.prompt not in PROMPTS:
            raise PromptError(f"There is no prompt '{self.prompt}'; choose one of {', '.join(PROMPTS)}.")
        if not 0 <= self.jitter <= 0.5:
            raise PromptError("The jitter is a share of the object's size, between 0 and 0.5; 0.02 is a careful hand.")
        unknown = [name for name in self.baselines if name not in BASELINES]
        if unknown:
            raise PromptError(f"There is no baseline '{unknown[0]}'; choose among {', '.join(BASELINES)}.")
        if "grabcut" in self.baselines and not has_grabcut():
            raise PromptError(
                "The baseline 'grabcut' needs the package opencv-python-headless; install it or leave it out."
            )

    def with_baselines(self, names: tuple[str, ...]) -> Settings:
        """The same settings with other baselines."""
        return replace(self, baselines=names)


@dataclass(frozen=True)
class Outcome:
    """Measurements on one object. IoUs and boundary F in 0..1, area in pixels."""

    object_id: int
    file_name: str
    category: str
    area: int
    iou: float
    boundary_f: float
    seconds: float
    score: float | None = None
    corrected_iou: float | None = None
    baselines: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Spread:
    """Summary of IoUs: mean, median, 10th percentile, share of at least `GOOD`."""

    mean: float
    median: float
    p10: float
    good: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Summarise values; there must be one at least."""
        array = np.asarray(values, dtype=np.float64)
        return cls(
            mean=float(array.mean()),
            median=float(np.median(array)),
            p10=float(np.percentile(array, 10)),
            good=float((array >= GOOD).mean()),
        )


@dataclass(frozen=True)
class Evaluation:
    """Result of `evaluate`: one outcome an object, and their summaries.

    Attributes
    ----------
    model : str
        Name of the model.
    dataset : str
        Name of the annotation file's folder and the file.
    settings : Settings
    outcomes : list of Outcome
    skipped : int
        Objects for which no marks could be made (jitter threw them together, say).
    """

    model: str
    dataset: str
    settings: Settings
    outcomes: list[Outcome]
    skipped: int = 0

    @property
    def iou(self) -> Spread:
        """IoU of the model."""
        return Spread.of([outcome.iou for outcome in self.outcomes])

    @property
    def boundary_f(self) -> float:
        """Mean boundary F of the model."""
        return float(np.mean([outcome.boundary_f for outcome in self.outcomes]))

    @property
    def baselines(self) -> dict[str, Spread]:
        """IoU of each baseline, best mean first."""
        names = self.outcomes[0].baselines
        spreads = {name: Spread.of([outcome.baselines[name] for outcome in self.outcomes]) for name in names}
        return dict(sorted(spreads.items(), key=lambda item: -item[1].mean))

    @property
    def error_reduction(self) -> float | None:
        """Share of the best baseline's mean error (1 - IoU) that the model removes; None without baselines."""
        best = next(iter(self.baselines.values()), None)
        if best is None or best.mean >= 1:
            return None
        return 1 - (1 - self.iou.mean) / (1 - best.mean)

    @property
    def correction_gain(self) -> float | None:
        """Mean IoU gained by the first correcting mark; None where the model takes none."""
        pairs = [(o.corrected_iou, o.iou) for o in self.outcomes if o.corrected_iou is not None]
        return float(np.mean([after - before for after, before in pairs])) if pairs else None

    @property
    def score_error(self) -> float | None:
        """Mean distance between the predicted and the true IoU; None where the model predicts none."""
        pairs = [(o.score, o.iou) for o in self.outcomes if o.score is not None]
        return float(np.mean([abs(score - true) for score, true in pairs])) if pairs else None

    @property
    def latency_ms(self) -> tuple[float, float]:
        """Median and 95th percentile of the time from marks to mask, milliseconds."""
        times = np.array([outcome.seconds for outcome in self.outcomes]) * 1e3
        return float(np.median(times)), float(np.percentile(times, 95))

    def to_json(self) -> dict[str, Any]:
        """Everything as plain values for `json.dump`."""
        median, p95 = self.latency_ms
        return {
            "model": self.model,
            "dataset": self.dataset,
            "settings": asdict(self.settings),
            "objects": len(self.outcomes),
            "skipped": self.skipped,
            "iou": asdict(self.iou),
            "boundary_f": self.boundary_f,
            "correction_gain": self.correction_gain,
            "score_error": self.score_error,
            "latency_ms": {"median": median, "p95": p95},
            "baselines": {name: asdict(spread) for name, spread in self.baselines.items()},
            "error_reduction": self.error_reduction,
            "outcomes": [asdict(outcome) for outcome in self.outcomes],
        }


def evaluate(
    model: Segmenter,
    dataset: CocoDataset,
    images: str | os.PathLike[str],
    settings: Settings | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> Evaluation:
    """Measure a model on the objects of a COCO file.

    Parameters
    ----------
    model : Segmenter
    dataset : CocoDataset
        From `napari_dextr.coco.read_coco`. Crowds and objects without pixels are left out.
    images : path-like
        Folder of the images.
    settings : Settings, optional
    progress : callable, optional
        Called with (objects done, objects in all).

    Raises
    ------
    DataError
        When an image is missing or has another size than the file says, or no object is left.
    UnsupportedMarkError
        When the model does not take the prompt.
    """
    settings = settings or Settings()
    chosen = list(_choose(dataset, settings))
    if not chosen:
        raise DataError(f"No object of '{dataset.path.name}' is left to evaluate; lower the smallest area.")
    outcomes: list[Outcome] = []
    skipped, opened = 0, None
    for number, obj in enumerate(chosen):
        entry = dataset.images[obj.image_id]
        if opened is None or opened[0] is not entry:
            opened = (entry, open_annotated(images, entry))
        outcome = _measure(model, dataset, obj, opened[1], settings, warm=bool(outcomes))
        if outcome is None:
            skipped += 1
        else:
            outcomes.append(outcome)
        if progress is not None:
            progress(number + 1, len(chosen))
    if not outcomes:
        raise DataError("No marks could be made for any object; choose less jitter or larger objects.")
    name = f"{dataset.path.parent.name}/{dataset.path.name}"
    return Evaluation(model.spec.name, name, settings, outcomes, skipped)


def _choose(dataset: CocoDataset, settings: Settings) -> Iterable[CocoObject]:
    """Objects to evaluate, grouped by image."""
    rng = np.random.default_rng(settings.seed)
    kept: list[CocoObject] = []
    for _, objects in dataset.by_image():
        fitting = [obj for obj in objects if not obj.iscrowd and _area(dataset, obj) >= max(1.0, settings.min_area)]
        kept += _draw(fitting, settings.max_per_image, rng)
    return _draw(kept, settings.limit, rng)


def _draw(objects: list[CocoObject], count: int | None, rng: np.random.Generator) -> list[CocoObject]:
    if count is None or len(objects) <= count:
        return objects
    return [objects[i] for i in sorted(rng.choice(len(objects), count, replace=False))]


def _area(dataset: CocoDataset, obj: CocoObject) -> float:
    area = obj.extra.get("area")
    if isinstance(area, (int, float)):
        return float(area)
    return float(np.count_nonzero(dataset.mask(obj))) if obj.segmentation else 0.0


def _measure(
    model: Segmenter, dataset: CocoDataset, obj: CocoObject, image: Any, settings: Settings, *, warm: bool
) -> Outcome | None:
    truth, ignore = dataset.mask(obj), dataset.ignore_mask(obj)
    if not truth.any():
        return None
    simulator = Simulator(np.random.default_rng((settings.seed, obj.id)))
    try:
        prompt = _simulate(simulator, truth, settings)
    except PromptError:
        return None
    if not warm:
        model.segment(image, prompt)  # the first call prepares the network; it would distort the latency
    started = time.perf_counter()
    result = model.segment(image, prompt)
    mask = result.full_mask()
    seconds = time.perf_counter() - started
    return Outcome(
        object_id=obj.id,
        file_name=dataset.images[obj.image_id].file_name,
        category=dataset.categories.get(obj.category_id, str(obj.category_id)),
        area=int(np.count_nonzero(truth)),
        iou=iou(mask, truth, ignore),
        boundary_f=boundary_f(mask, truth, ignore=ignore),
        seconds=seconds,
        score=result.score,
        corrected_iou=_corrected(model, simulator, image, result, truth, ignore) if settings.correction else None,
        baselines=dict(_baselines(image, prompt, truth, ignore, settings.baselines)),
    )


def _simulate(simulator: Simulator, truth: Mask, settings: Settings) -> Prompt:
    if settings.prompt == "box":
        return simulator.box(truth, jitter=settings.jitter)
    if settings.prompt == "inside-outside":
        return simulator.inside_outside(truth, jitter=settings.jitter)
    if settings.prompt == "clicks":
        return simulator.clicks(truth, exact=not settings.jitter)
    return simulator.extreme(truth, jitter=settings.jitter, exact=not settings.jitter)


def _corrected(
    model: Segmenter,
    simulator: Simulator,
    image: Any,
    result: Segmentation,
    truth: Mask,
    ignore: npt.NDArray[np.bool_] | None,
) -> float | None:
    """IoU after one correcting mark; None where the model takes no such mark."""
    marks = set(model.spec.marks)
    clicks = {"inside", "outside"} <= marks
    if not clicks and "boundary" not in marks:
        return None
    before = result.full_mask()
    mark = simulator.correction(truth, before, ignore, boundary=0.0 if clicks else 1.0)
    if mark is None:
        return iou(before, truth, ignore)
    kind, point = mark
    prompt = result.prompt
    if "mask" in marks:
        prompt = prompt.with_mask(result.probability, result.region)
    add = {"inside": prompt.with_inside, "outside": prompt.with_outside, "boundary": prompt.with_boundary}[kind]
    return iou(model.segment(image, add(point)).full_mask(), truth, ignore)


def _baselines(
    image: Any, prompt: Prompt, truth: Mask, ignore: npt.NDArray[np.bool_] | None, names: tuple[str, ...]
) -> Iterator[tuple[str, float]]:
    if prompt.bounds is None:
        return
    for name in names:
        yield name, iou(BASELINES[name](image, prompt, truth.shape), truth, ignore)
