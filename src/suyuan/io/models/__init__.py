"""Results of hydraulic models, one reader a format: each gives a network, a flow, and what it could not take over."""
