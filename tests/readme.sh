#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The README quotes a program and the table of variables: both must be what the tree and the command say.
# usage: readme.sh SOURCE_FOLDER GLISSADE_COMMAND; prints TAP.
set -u
source=$1
command=$2
failed=0
number=0

# The lines between a marker and the blank line or fence that ends what follows it.
quoted_program() {
    awk '/^<!-- examples\/minimal.c -->$/ {seen = 1; next} seen && /^```c$/ {inside = 1; next}
         inside && /^```$/ {exit} inside {print}' "$source/README.md"
}

quoted_table() {
    awk '/^<!-- glissade info --variables markdown -->$/ {seen = 1; next} seen && /^\|/ {print; next}
         seen && !/^$/ {exit}' "$source/README.md"
}

# The program as a reader needs it: without the licence line.
program() {
    grep -v SPDX "$source/examples/minimal.c"
}

check() { # NAME WANTED QUOTED
    number=$((number + 1))
    if [ -n "$2" ] && [ "$2" = "$3" ]; then
        echo "ok $number - $1"
    else
        echo "not ok $number - $1"
        failed=1
    fi
}

echo 1..3
check 'the program is examples/minimal.c' "$(program)" "$(quoted_program)"
lines=$(program | wc -l)
check "the program has at most 25 lines ($lines)" yes "$([ "$lines" -le 25 ] && echo yes)"
check 'the table is what the command prints' "$("$command" info --variables markdown)" "$(quoted_table)"
exit "$failed"
