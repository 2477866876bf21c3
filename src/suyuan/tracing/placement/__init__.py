"""Where to put fixed stations: what a set of places is worth, how the best set is found, and how sure that is."""
