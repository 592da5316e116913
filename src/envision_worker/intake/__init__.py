"""Provider to desk: read the queue, keep order, apply, acknowledge."""
