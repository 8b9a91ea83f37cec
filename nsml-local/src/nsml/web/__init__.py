"""The page that `nsml web` serves (the extra `nsml-local[web]`): datasets, leaderboards, sessions, logs, graphs, differences.

It reads through the same `store` as the commands, starts and ends sessions through the same `engine`, and keeps nothing of its own.
"""
