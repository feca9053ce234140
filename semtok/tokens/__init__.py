"""Token sets: one module a tokenizer, and the shards that hold them."""
