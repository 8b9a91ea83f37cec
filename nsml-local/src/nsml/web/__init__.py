"""The web page of `nsml web` (the extra `nsml-local[web]`): datasets, leaderboards, sessions, logs, graphs, differences.

It uses `store` and `engine` as the commands do, and stores nothing itself.
"""
