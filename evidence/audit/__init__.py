"""Is the dataset honest? What photographs are there, which of them twice, and what can be told without seeing a lesion.

layout: where they are. measure (text, fingerprint): one photograph. duplicates, probe: all of them. findings: the
audit as data. table, page, progress: for people.
"""
