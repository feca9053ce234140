"""Images -> masks and scene graphs: one module a backend."""
