"""Where images and annotations come from: one module a data format."""
