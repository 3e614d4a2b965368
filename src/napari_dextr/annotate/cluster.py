"""The same work on many machines, with dask.distributed (the extra ``cluster``).

Workers open the images themselves: the folder must have the same path on every machine, and so must a weights file.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from itertools import islice
from typing import TYPE_CHECKING, Any

from ..errors import DataError
from .dataset import AnnotateSettings, Worker
from .work import ObjectResult, Task, annotate_image

if TYPE_CHECKING:
    from ..segmenter import Segmenter

_AHEAD = 4  # tasks that wait at each worker: it never idles, and a large data set is not sent all at once
_LOCK = threading.Lock()


@dataclass(frozen=True)
class Job:
    """What a worker needs besides the task.

    Attributes
    ----------
    model : str
        As for `napari_dextr.load_model`.
    device, precision : str
    threads : int or None
        Processor threads of PyTorch in each worker.
    folder : str
        Absolute path of the images.
    """

    model: str
    device: str
    precision: str
    threads: int | None
    folder: str
    settings: AnnotateSettings


@contextlib.contextmanager
def connect(address: str, workers: int | None = None) -> Iterator[Any]:
    """A client of a cluster: of the scheduler at `address`, or with "local" of worker processes on this machine.

    Raises
    ------
    DataError
        When dask.distributed is not installed, or nothing answers at the address.
    """
    if not find_spec("distributed"):
        raise DataError("A cluster needs the package distributed; install napari-dextr[cluster].")
    import distributed

    dask: Any = distributed  # its classes have no types
    with contextlib.ExitStack() as stack:
        if address == "local":
            cluster = dask.LocalCluster(n_workers=workers or 2, threads_per_worker=1, dashboard_address=None)
            client: Any = stack.enter_context(dask.Client(stack.enter_context(cluster)))
        else:
            try:
                client = stack.enter_context(dask.Client(address, timeout="20s"))
            except (OSError, ValueError) as error:
                raise DataError(
                    f"No dask scheduler answers at '{address}'; give an address such as tcp://host:8786, or 'local'."
                ) from error
            if workers is not None:
                client.wait_for_workers(workers)
        yield client


def spread(client: Any, job: Job) -> Worker:
    """A worker for `napari_dextr.annotate.annotate_coco` that has the cluster do the work.

    An image whose worker is lost is tried again twice; after that its objects are told as failed.
    """
    import distributed

    dask: Any = distributed

    def work(tasks: Iterable[Task]) -> Iterator[tuple[Task, list[ObjectResult]]]:
        waiting = iter(tasks)
        workers = max(1, len(client.scheduler_info(n_workers=-1)["workers"]))
        running = {_submit(client, job, task): task for task in islice(waiting, _AHEAD * workers)}
        queue: Any = dask.as_completed(list(running))
        for future in queue:
            task = running.pop(future)
            error = future.exception()
            if error is None:
                yield task, future.result()
            else:
                reason = f"The image '{task.image.file_name}' failed on the cluster ({type(error).__name__}: {error})."
                yield task, [ObjectResult(obj.id, problem=" ".join(reason.split())) for obj in task.objects]
            for following in islice(waiting, 1):
                new = _submit(client, job, following)
                running[new] = following
                queue.add(new)

    return work


def _submit(client: Any, job: Job, task: Task) -> Any:
    return client.submit(work_on, job, task, pure=False, retries=2)


def work_on(job: Job, task: Task) -> list[ObjectResult]:
    """Runs on a worker: one image, with a model that is loaded once."""
    with _LOCK:  # workers that are threads of one process share the model
        model = _model(job.model, job.device, job.precision, job.threads)
        return annotate_image(model, job.folder, task, job.settings.prompt, job.settings.batch)


@lru_cache(maxsize=1)
def _model(source: str, device: str, precision: str, threads: int | None) -> Segmenter:
    from ..models import load_model

    if threads is not None:
        import torch

        torch.set_num_threads(threads)
    return load_model(source, device=device, precision=precision)
