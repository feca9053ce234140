"""What a training takes of the machine: system metrics by the names that MLflow knows."""

from collections.abc import Callable


def probe() -> Callable[[], dict[str, float]]:
    """A function that measures this process and its machine since it was called last.

    Returns:
        Values by name: CPU of this process in percent of one core, its resident memory in MB, the
        machine's CPU in percent of all cores; with CUDA also the GPU memory taken, in MB.
    """
    import psutil
    import torch

    process = psutil.Process()

    def measure() -> dict[str, float]:
        values = {
            "system/process_cpu_percentage": process.cpu_percent(),
            "system/process_memory_megabytes": process.memory_info().rss / 1e6,
            "system/cpu_utilization_percentage": psutil.cpu_percent(),
        }
        if torch.cuda.is_available():
            values["system/gpu_0_memory_usage_megabytes"] = torch.cuda.max_memory_allocated() / 1e6
        return values

    measure()  # the first call has nothing to compare with
    return measure
