#!/bin/sh
# The main job from the synthetic data to the leaderboard, with the commands that a competitor types.
set -eu

step() { printf '\n$ %s\n' "$*"; "$@"; }

step nsml dataset demo
# From ImageNet's weights alone: the recipe's own have seen photographs of the program that drew these.
printf '\n$ nsml run -d FUNDUS_DEMO -a "--recipe quick --set weights=imagenet" -m demo\n'
started=$(nsml run -d FUNDUS_DEMO -a "--recipe quick --set weights=imagenet" -m demo)
echo "$started"
session=${started#Session }
session=${session% is started}
trap 'nsml stop -f "$session" >/dev/null 2>&1 || true' INT TERM
step nsml logs -f "$session"
step nsml model ls "$session"
step nsml submit "$session" best
step nsml dataset board FUNDUS_DEMO
printf '\nThe same in the browser: %s/nsml web\n' "$(dirname "$(command -v nsml)")"
