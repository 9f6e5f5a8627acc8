#!/usr/bin/env bash
# What sandbox.sh says to wrong arguments and surroundings. Starts nothing; needs no build.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
script=$here/../sandbox.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

# expect STATUS TEXT ARGUMENTS...: the status, and a text that must be in what it says
expect() {
  local status=$1 text=$2 said got=0
  shift 2
  said=$("$@" 2>&1) || got=$?
  if [ "$got" -ne "$status" ]; then
    printf 'not ok  %s: status %s instead of %s\n%s\n' "$*" "$got" "$status" "$said"
    failures=$((failures + 1))
  elif [[ $said != *"$text"* ]]; then
    printf 'not ok  %s: does not say "%s"\n%s\n' "$*" "$text" "$said"
    failures=$((failures + 1))
  else
    printf 'ok      %s\n' "${*#"$here/../"}"
  fi
}

nothing_left() {
  local left
  left=$(find "$work/tmp" -mindepth 1 -print -quit)
  if [ -n "$left" ]; then
    printf 'not ok  something was left: %s\n' "$left"
    failures=$((failures + 1))
  fi
}

# A distribution that only pretends to be one.
mkdir -p "$work/image/bin" "$work/tmp" "$work/busy"
printf '#!/bin/sh\necho "the program says why" >&2\nexit 3\n' >"$work/image/bin/pipeops-agent"
chmod +x "$work/image/bin/pipeops-agent"
export TMPDIR=$work/tmp
unset KUBECONFIG
fake=(env "SANDBOX_IMAGE=$work/image")

expect 0 'Usage: installer/sandbox.sh' "$script" --help
expect 0 'Usage: installer/sandbox.sh' "$script" -h
expect 2 'unknown argument: --nonsense' "$script" --nonsense
expect 2 'unknown argument: word' "$script" word
expect 2 '--dir needs a folder' "$script" --dir
expect 2 '--dir needs a folder' "$script" --dir ''
expect 2 '--dir needs a folder' "$script" --dir=
expect 1 'SANDBOX_IMAGE is no distribution' env "SANDBOX_IMAGE=$work/none" "$script"
expect 1 'cannot be made' "${fake[@]}" "$script" --dir /proc/none/here
echo $$ >"$work/busy/pid"
expect 1 "another sandbox (process $$)" "${fake[@]}" "$script" --dir "$work/busy"
[ -f "$work/busy/pid" ] || { echo 'not ok  the other sandbox lost its mark'; failures=$((failures + 1)); }
expect 1 'cannot be read' "${fake[@]}" KUBECONFIG="$work/none" "$script"
expect 1 'names several files' "${fake[@]}" KUBECONFIG=/a:/b "$script"
echo 'kind: Config' >"$work/empty"
expect 1 'names no server' "${fake[@]}" KUBECONFIG="$work/empty" "$script"
printf 'clusters:\n- cluster:\n    server: https://127.0.0.1:1\n' >"$work/away"
expect 1 'does not answer' "${fake[@]}" KUBECONFIG="$work/away" "$script"
expect 1 'the program says why' "${fake[@]}" "$script"
expect 1 'FAIL' "${fake[@]}" "$script" --check
nothing_left

[ "$failures" -eq 0 ] || exit 1
