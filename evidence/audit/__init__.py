"""Is the dataset honest? Its photographs and their copies, and how well classes are predicted without seeing a lesion.

layout: the folders. measure (text, fingerprint): one photograph. duplicates, probe: all photographs. findings: the
audit as data. table, page: for people.
"""
