"""The `nsml` command: one module a command or group, each of which only parses and calls."""
