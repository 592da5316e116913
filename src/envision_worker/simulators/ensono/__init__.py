"""A simulated Envision Connect: the FIFO queue and the tickets API."""
