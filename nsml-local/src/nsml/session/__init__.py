"""What runs inside the competitor's process: the hooks, `paused`, `report`."""
