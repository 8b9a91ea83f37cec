"""`python -m nsml` is the `nsml` command."""

from .cli.main import main

main()
