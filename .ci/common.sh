# shellcheck shell=bash disable=SC2154 # root, ci, work: set by .ci/run
# SPDX-License-Identifier: Apache-2.0
# What the stages share. The caller has set root (the checkout), ci (.ci) and work (where builds go).

fail() {
    printf 'ci: %s\n' "$*" >&2
    return 1
}

# Runs a command whose output matters only when it fails.
quietly() { # LOG COMMAND...
    local log=$1 status=0
    shift
    "$@" >"$log" 2>&1 || status=$?
    if [[ $status != 0 ]]; then
        printf '$ %s\n' "$*"
        tail -n 120 "$log"
    fi
    return "$status"
}

# The tree's files, also of one that git will not read (another owner) or that is no checkout at all.
tree_files() { # PATTERN... (as for `git ls-files`)
    if git -c safe.directory='*' rev-parse --git-dir >/dev/null 2>&1; then
        git -c safe.directory='*' ls-files -co --exclude-standard -- "$@" | while IFS= read -r file; do
            [[ -f $file ]] && printf '%s\n' "$file"
        done
        return
    fi
    local pattern
    for pattern in "${@:-*}"; do
        find . \( -name .git -o -name 'build*' -o -name .cache -o -name __pycache__ \) -prune \
            -o -type f -name "${pattern##*/}" -print | sed 's,^\./,,'
    done
}

# Configures a build in $work/NAME, anew if it exists. CC and CXX choose the compilers.
configure() { # NAME MESON_OPTION...
    local name=$1
    shift
    rm -rf -- "${work:?}/$name"
    quietly "$work/$name.configure.log" meson setup "$@" "$work/$name" "$root"
}

# Configures and compiles everything.
build() { # NAME MESON_OPTION...
    configure "$@"
    quietly "$work/$1.compile.log" meson compile -C "$work/$1" -j "$(nproc)"
}

# Runs tests of a build, and counts their cases.
run_tests() { # NAME MESON_TEST_ARGUMENT...
    local name=$1 status=0
    shift
    # With a wrapper, meson puts its name into the log's.
    rm -f -- "$work/$name"/meson-logs/testlog*.json
    # An empty environment of ours: a setting meant for some other program would change what is tested.
    (
        unset "${!GLISSADE_@}" "${!OMP_@}" "${!GOMP_@}" "${!HWLOC_@}"
        meson test -C "$work/$name" --no-rebuild --num-processes "$(nproc)" --print-errorlogs "$@"
    ) || status=$?
    printf '%s: ' "$name"
    "$ci/count-tests" "$work/$name"/meson-logs/testlog*.json || status=1
    return "$status"
}
