"""Which numbers a forward pass computes in."""

import torch


def mixed_precision(device: torch.device) -> torch.autocast:
    """A context: bfloat16 for matrix products on CUDA, float32 everywhere else."""
    return torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda")
