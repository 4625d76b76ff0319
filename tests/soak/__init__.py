"""What takes long: an adversary against `reconciler run`."""
