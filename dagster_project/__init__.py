"""The line in Dagster: what people see and start. DVC runs it; there is no algorithm here."""
