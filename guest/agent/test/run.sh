#!/usr/bin/env bash
# Fuzzes the agent's parsers on the host under the address and undefined-behaviour sanitizers.
#   guest/agent/test/run.sh [SECONDS [SEED]]
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
gcc -std=c11 -D_GNU_SOURCE -O1 -g -Wall -Wextra -fsanitize=address,undefined -fno-sanitize-recover=all \
  "$here"/parser-fuzz.c "$here"/../{command,line-cursor,start-config,session-config,session-input,output-ring,user-lookup}.c -o "$work/parser-fuzz"
"$work/parser-fuzz" "${1:-2}" ${2:+"$2"}
