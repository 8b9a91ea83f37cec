#!/bin/sh
# Look up what is installed, and what it needs, in the Python Packaging Advisory Database.
# Exit status 0: nothing known; 1: a vulnerability is known; 3: the database could not be asked, which says nothing.
set -u

list=$(mktemp)
told=$(mktemp)
trap 'rm -f "$list" "$told"' EXIT
uv pip freeze --python "$1" --exclude-editable | grep -v '^-e \| @ ' >"$list"

# pip-audit runs in an environment of its own, so that the tools of development need not bring it along.
uv tool run --quiet --from 'pip-audit>=2.10,<3' pip-audit --requirement "$list" --no-deps --disable-pip --progress-spinner off >"$told" 2>&1
status=$?
cat "$told"
if [ "$status" -ne 0 ] && ! grep -q 'known vulnerabilit' "$told"; then
	echo "audit: the database of vulnerabilities could not be asked, so nothing is known; try again where the network reaches pypi.org" >&2
	exit 3
fi
exit "$status"
