"""A data set as pages to turn: what was found in each image, and what variants make of it."""
