"""One training in several processes: equal parts of each batch, one loss, one gradient.

All that a step depends on is the whole batch, so that any number of processes makes the step that
one process makes, but for the rounding of sums. `train.batch_size` is that of all together.
"""

import atexit
import os
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx
from torch.nn.parallel import DistributedDataParallel

from semtok.errors import SemtokError
from semtok.train import processes
from semtok.train.loss import info_nce, part_of_info_nce


def join(batch_size: int) -> torch.device:
    """Meet the other processes, once, and take a device: a GPU each where there are any.

    Args:
        batch_size: images of a step, of all processes together.

    Raises:
        SemtokError: it cannot be cut into equal parts, or there are fewer GPUs than processes.
    """
    cuda = torch.cuda.is_available()
    if processes.count() == 1:
        return torch.device("cuda" if cuda else "cpu")
    if batch_size % processes.count():
        raise SemtokError(
            f"train.batch_size: {batch_size} images cannot be shared by {processes.count()} "
            "processes; start another number of them"
        )
    local = int(os.environ["LOCAL_RANK"])
    if cuda and local >= torch.cuda.device_count():
        raise SemtokError(
            f"torchrun: started more processes than the {torch.cuda.device_count()} GPUs here; "
            "lower --nproc-per-node"
        )
    device = torch.device("cuda", local) if cuda else torch.device("cpu")
    if not dist.is_initialized():
        if cuda:
            torch.cuda.set_device(device)
        dist.init_process_group("nccl" if cuda else "gloo")
        atexit.register(dist.destroy_process_group)
    return device


def replicated(objective: nn.Module) -> nn.Module:
    """What to call in each process: its gradients become the mean of all processes' gradients.

    Raises:
        SemtokError: there are several processes, and batch norms, which would see a part each.
    """
    if processes.count() == 1:
        return objective
    if any(isinstance(each, nn.BatchNorm2d) for each in objective.modules()):
        raise SemtokError(
            "torchrun: this variant's encoder has batch norms, each of which has to see the whole "
            "batch; train it in one process"
        )
    # All other buffers are constants, the same everywhere.
    return DistributedDataParallel(objective, forward_sync_buffers=False)


def contrastive(images: Tensor, texts: Tensor, scale: Tensor) -> Tensor:
    """`info_nce` over the batch of all processes, of which each has as many rows.

    Args:
        images, texts, scale: as of `info_nce`, this process's own.

    Returns:
        0-d: this process's part. The mean over processes is the loss of the whole batch, and the
        mean of the gradients its gradient.
    """
    if processes.count() == 1:
        return info_nce(images, texts, scale)
    first = processes.rank() * len(images)
    return part_of_info_nce(images, texts, gather(images), gather(texts), first, scale)


def gather(rows: Tensor) -> Tensor:
    """The rows [B, P] of all processes, in the order of their ranks: [processes * B, P]."""
    return _Gather.apply(rows)  # type: ignore[no-any-return, no-untyped-call]


def mean(values: Tensor) -> Tensor:
    """The mean of values over all processes; no gradient passes."""
    if processes.count() == 1:
        return values
    total = values.detach().clone()
    dist.all_reduce(total)
    return total / processes.count()


def wait() -> None:
    """Let all processes come this far."""
    if processes.count() > 1:
        dist.barrier()


class _Gather(torch.autograd.Function):
    """Gather rows; what each process's loss wants of a row is summed up where the row is from."""

    @staticmethod
    def forward(ctx: FunctionCtx, rows: Tensor) -> Tensor:
        parts = [torch.empty_like(rows) for _ in range(processes.count())]
        dist.all_gather(parts, rows.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: FunctionCtx, *gradients: Any) -> Tensor:
        total = gradients[0].contiguous().clone()
        dist.all_reduce(total)
        parts: tuple[Tensor, ...] = total.chunk(processes.count())
        return parts[processes.rank()]
