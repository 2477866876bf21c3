"""Flow where no model gives it: reconciled from gauges by continuity on the network."""
