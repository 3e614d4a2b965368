"""Speed and memory on this machine: medians, and ratios measured in turns, so that a busy machine is fair to both."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .demo import PHOTOS
from .prompt import Prompt

if TYPE_CHECKING:
    from .models.spec import ModelSpec
    from .segmenter import Segmenter

LARGE_SIDE = 20_000
"""Side of the large image, pixels."""

RESNET = "dextr-pascal-sbd"
"""The published model that is timed."""

_CHUNK = 512
_IMPORT = "import time; t = time.perf_counter(); import napari_dextr; print(time.perf_counter() - t)"


@dataclass(frozen=True)
class Timing:
    """Times of one thing, milliseconds."""

    median_ms: float
    p95_ms: float
    runs: int

    @classmethod
    def of(cls, seconds: list[float]) -> Timing:
        """Summarise times in seconds."""
        times = np.asarray(seconds) * 1e3
        return cls(float(np.median(times)), float(np.percentile(times, 95)), len(seconds))


@dataclass(frozen=True)
class BenchReport:
    """What `run_bench` measured.

    Attributes
    ----------
    machine : str
        Processor, threads, device and versions.
    model : str
        Name of the model whose clicks were timed.
    timings : mapping of name to Timing
    size_ratio : float or None
        Time of a click on the large image over that on the small one; None without zarr.
    resnet_ratio : float or None
        Time of the ResNet-101 in exact float32 over that in reduced precision; None where it was not timed.
    resnet_weights : str
        Whether its weights were the published or random ones (speed is the same, masks are not).
    peak_megabytes : mapping of str to float
        Largest memory of this process so far, after each part; empty where the system does not tell.
    import_seconds : float
        Of ``import napari_dextr``, in a fresh interpreter.
    """

    machine: str
    model: str
    timings: Mapping[str, Timing]
    size_ratio: float | None
    resnet_ratio: float | None
    resnet_weights: str
    peak_megabytes: Mapping[str, float]
    import_seconds: float

    def remarks(self) -> list[str]:
        """The figures that are no timings, as sentences."""
        lines = []
        if self.size_ratio is not None:
            lines.append(
                f"a click on {LARGE_SIDE}² pixels takes {self.size_ratio:.2f} times as long as on a photograph"
            )
        else:
            lines.append("independence of the image's size was not measured: it needs the package zarr")
        if self.resnet_ratio is not None:
            lines.append(
                f"the ResNet-101 ({self.resnet_weights} weights) is {self.resnet_ratio:.2f} times as fast in reduced "
                "precision as in exact float32"
            )
        lines += [f"peak memory {part}: {megabytes:.0f} MB" for part, megabytes in self.peak_megabytes.items()]
        lines.append(f"import napari_dextr: {self.import_seconds:.3f} s")
        return lines

    def to_json(self) -> dict[str, Any]:
        """Everything as plain values for `json.dump`."""
        return {**vars(self), "timings": {name: vars(timing) for name, timing in self.timings.items()}}


@dataclass
class _Steps:
    """Counts steps for a progress bar."""

    total: int
    progress: Callable[[int, int], object] | None
    done: int = field(default=0)

    def step(self) -> None:
        self.done += 1
        if self.progress is not None:
            self.progress(self.done, self.total)


def run_bench(
    model: Segmenter,
    *,
    resnet: bool = True,
    quick: bool = False,
    progress: Callable[[int, int], object] | None = None,
) -> BenchReport:
    """Measure a model's clicks, the ResNet-101, memory and import time.

    Parameters
    ----------
    model : Segmenter
    resnet : bool
        Also time the published ResNet-101, with random weights where they are not downloaded.
    quick : bool
        Few repetitions.
    progress : callable, optional
        Called with (steps done, steps in all).

    Returns
    -------
    BenchReport
    """
    clicks, forwards, imports = (5, 2, 1) if quick else (30, 7, 5)
    steps = _Steps(clicks + (forwards if resnet else 0) + imports, progress)
    timings: dict[str, Timing] = {}
    peaks: dict[str, float] = {}

    image = PHOTOS[0].read()
    prompts = [Prompt.extreme(item.points) for item in PHOTOS[0].objects]
    name = f"{model.spec.name}, click to mask"
    with tempfile.TemporaryDirectory(prefix="napari-dextr-") as folder:
        jobs: dict[str, Callable[[int], object]] = {
            f"{name}, {image.shape[0]}² array": lambda i: model.segment(image, prompts[i % len(prompts)]).mask
        }
        if find_spec("zarr"):
            large, offset = _large_image(Path(folder), image)
            moved = [Prompt.extreme(prompt.extreme_points + offset) for prompt in prompts]
            jobs[f"{name}, {LARGE_SIDE}² zarr"] = lambda i: model.segment(large, moved[i % len(moved)]).mask
        timings.update(_time_in_turns(jobs, clicks, steps))
    medians = [timing.median_ms for timing in timings.values()]
    size_ratio = medians[1] / medians[0] if len(medians) > 1 else None
    _note_peak(peaks, f"of clicks with the model {model.spec.name}")

    resnet_ratio, weights = None, "no"
    if resnet:
        answers, weights = _resnet_jobs(model.device, image, prompts)
        resnet_timings = _time_in_turns(answers, forwards, steps)
        exact, *_, reduced = resnet_timings.values()
        resnet_ratio = exact.median_ms / reduced.median_ms
        timings.update(resnet_timings)
        _note_peak(peaks, "with three copies of the ResNet-101 besides")
    seconds = statistics.median(_import_times(imports, steps))
    return BenchReport(
        machine=describe_machine(model.device),
        model=model.spec.name,
        timings=timings,
        size_ratio=size_ratio,
        resnet_ratio=resnet_ratio,
        resnet_weights=weights,
        peak_megabytes=peaks,
        import_seconds=seconds,
    )


def _time_in_turns(jobs: Mapping[str, Callable[[int], object]], runs: int, steps: _Steps) -> dict[str, Timing]:
    """Time several jobs, one call of each in turn, after a call each that does not count."""
    for job in jobs.values():
        job(0)
    seconds: dict[str, list[float]] = {name: [] for name in jobs}
    for run in range(runs):
        for name, job in jobs.items():
            started = time.perf_counter()
            job(run)
            seconds[name].append(time.perf_counter() - started)
        steps.step()
    return {name: Timing.of(times) for name, times in seconds.items()}


def _large_image(folder: Path, image: npt.NDArray[np.uint8]) -> tuple[Any, int]:
    """A zarr array of `LARGE_SIDE` squared on disk with the image somewhere in its middle, and where.

    Chunks that hold nothing are not stored, so that it takes no gigabyte; those that are read are real ones.
    """
    import zarr

    shape = (LARGE_SIDE, LARGE_SIDE, *image.shape[2:])
    chunks = (_CHUNK, _CHUNK, *image.shape[2:])
    store: Any = zarr.open(str(folder / "large.zarr"), mode="w", shape=shape, chunks=chunks, dtype="u1", fill_value=0)
    offset = LARGE_SIDE // 2 + _CHUNK // 3  # off the grid of chunks, as objects are
    store[offset : offset + image.shape[0], offset : offset + image.shape[1]] = image
    return zarr.open(str(folder / "large.zarr"), mode="r"), offset


def _resnet_jobs(
    device: str, image: npt.NDArray[np.uint8], prompts: list[Prompt]
) -> tuple[dict[str, Callable[[int], object]], str]:
    """Clicks with the published network in exact, folded and reduced arithmetic; and whose weights it has."""
    from .models.architectures import build_network
    from .models.checkpoint import load_network
    from .models.download import cached_file
    from .models.registry import find
    from .segmenter import Segmenter

    entry = find(RESNET)
    file = cached_file(entry)
    spec: ModelSpec
    if file.is_file():
        spec, network = load_network(file)
    else:
        spec, network = entry.spec, build_network(entry.spec).eval()

    def job(precision: str) -> tuple[str, Callable[[int], object]]:
        segmenter = Segmenter(network, spec, device=device, precision=precision)
        name = f"ResNet-101, click to mask, {segmenter.precision} ({precision})"
        return name, lambda i: segmenter.segment(image, prompts[i % len(prompts)]).mask

    return dict(job(precision) for precision in ("full", "auto", "reduced")), (
        "published" if file.is_file() else "random"
    )


def _note_peak(peaks: dict[str, float], part: str) -> None:
    megabytes = peak_megabytes()
    if megabytes is not None:
        peaks[part] = megabytes


def peak_megabytes() -> float | None:
    """Largest memory that this process has held so far, MB; None on Windows, whose Python does not tell."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6)  # bytes on macOS, KiB elsewhere


def _import_times(runs: int, steps: _Steps) -> Iterator[float]:
    here = str(Path(__file__).parents[1])  # the interpreter below finds this package even where it is not installed
    path = os.pathsep.join(filter(None, (here, os.environ.get("PYTHONPATH"))))
    for _ in range(runs):
        answer = subprocess.run(
            [sys.executable, "-c", _IMPORT],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONPATH": path},
        )
        yield float(answer.stdout)
        steps.step()


def describe_machine(device: str | None = None) -> str:
    """Processor and versions, and with a device what the model has of it: device and threads."""
    import torch

    processor = _processor() or platform.machine()
    used = "" if device is None else f"{torch.get_num_threads()} threads, device {device}, "
    versions = f"Python {platform.python_version()}, PyTorch {torch.__version__}"
    return f"{processor}, {os.cpu_count()} cores, {used}{versions}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
