"""Linear transport on the network: from releases to readings, and back."""
