"""Who released what: evidence, release histories and the posterior over sources."""
