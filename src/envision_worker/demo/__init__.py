"""The demonstration: simulated Ensono, simulated service desk, and the real worker as a process between them."""
