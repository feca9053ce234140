"""What a training runs on, by name."""

import platform
from pathlib import Path

import torch


def name(device: torch.device) -> str:
    """The GPU's name or, without one, the processor's."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return _model_name(Path("/proc/cpuinfo")) or platform.processor() or platform.machine()


def _model_name(path: Path) -> str:
    """The processor as Linux describes it; empty on other systems."""
    if not path.exists():
        return ""
    lines = path.read_text(encoding="utf-8").splitlines()
    names = [line.partition(":")[2] for line in lines if line.startswith("model name")]
    return names[0].strip() if names else ""
