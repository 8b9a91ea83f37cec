#!/bin/sh
# Look up what is installed, and what it needs, in the Python Packaging Advisory Database. The argument: the environment's Python.
# Exit status 0: nothing known; 1: a vulnerability is known; 3: the database could not be asked, which says nothing.
set -u

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$1" -m pip list --disable-pip-version-check --format freeze --exclude-editable | grep -v '^fundus\|^pip==' >"$work/list"

# pip-audit runs in an environment of its own, so that the tools of development need not bring it along.
"$1" -m venv "$work/audit" && "$work/audit/bin/python" -m pip install --disable-pip-version-check --quiet 'pip-audit>=2.10,<3' || exit 3
"$work/audit/bin/pip-audit" --requirement "$work/list" --no-deps --disable-pip --progress-spinner off >"$work/told" 2>&1
status=$?
cat "$work/told"
# An address that answers, but knows no package, is a mirror without the database.
unknown=$(grep -c 'could not be audited' "$work/told")
if [ "$unknown" -ge "$(grep -c . "$work/list")" ] || { [ "$status" -ne 0 ] && ! grep -q 'known vulnerabilit' "$work/told"; }; then
	echo "audit: the database of vulnerabilities could not be asked, so nothing is known; try again where the network reaches pypi.org" >&2
	exit 3
fi
exit "$status"
