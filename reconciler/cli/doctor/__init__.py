"""`reconciler doctor`: what must be right for the rest to work, each with what to do when it is not."""
