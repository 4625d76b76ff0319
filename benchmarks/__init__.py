"""Side by side with Docker Compose: the same project, made, left alone, changed, healed and destroyed by both."""
