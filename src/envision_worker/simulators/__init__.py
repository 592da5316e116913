"""Simulated peers, written from their documentation; they import nothing of the code that they meet."""
