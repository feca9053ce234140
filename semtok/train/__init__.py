"""The training loop, its loss and its checkpoints."""
