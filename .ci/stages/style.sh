# shellcheck shell=bash disable=SC2154 # root, ci, work: set by .ci/run
# SPDX-License-Identifier: Apache-2.0
# What is read and not run.

check_format() {
    local files output
    mapfile -t files < <(tree_files '*.c' '*.h' '*.cc')
    output=$(clang-format --dry-run -Werror "${files[@]}" 2>&1) || {
        sed -n -E 's/^([^:]+:[0-9]+):.* error: .*/\1: not as clang-format writes it/p' <<<"$output" | sort -s -u -t: -k1,1
        return 1
    }
    printf 'clang-format: %d files\n' "${#files[@]}"
}

shell_scripts() {
    tree_files | while IFS= read -r file; do
        case $file in
        *.sh) printf '%s\n' "$file" ;;
        *.*) ;;
        *) head -n 1 -- "$file" | grep -a -E '^#!.*\b(ba)?sh\b' >/dev/null && printf '%s\n' "$file" ;;
        esac
    done || true
}

check_shell() {
    local files
    mapfile -t files < <(shell_scripts)
    shellcheck "${files[@]}" || return 1
    printf 'shellcheck: %d files\n' "${#files[@]}"
}

# A source opens with its licence: in the first line, or in the second or third after #! and a checker's directive.
check_licence() {
    local bad=0 count=0 file
    while IFS= read -r file; do
        case $file in
        *.c | *.h | *.cc | *.def | *.py | *.sh) ;;
        *.*) continue ;;
        *) head -n 1 -- "$file" | grep -a '^#!' >/dev/null || continue ;;
        esac
        count=$((count + 1))
        head -n 3 -- "$file" | grep 'SPDX-License-Identifier: Apache-2.0' >/dev/null && continue
        printf '%s: no SPDX line\n' "$file"
        bad=1
    done < <(tree_files)
    printf 'licence: %d files\n' "$count"
    return "$bad"
}

# Nothing may depend on where or by whom the tree was made. The dots in brackets keep these lines from matching
# themselves.
check_places() {
    local paths='(^|[^[:alnum:]_./-])/(work|root|home)/[[:alnum:]_.]'
    local hosts='(pypi|pythonhosted|debian|ubuntu|npmjs|golang|crates|anaconda|rubygems)[.](org|com|io|net)'
    local files
    mapfile -t files < <(tree_files)
    if grep -n -I -E -e "$paths" -e "$hosts" -- "${files[@]}"; then
        fail 'a path or host of one machine (above)' || return 1
    fi
    printf 'places: %d files\n' "${#files[@]}"
}

# The checks are called in a condition, where bash does not stop at a failed command: each returns its own failure.
stage_style() {
    local status=0 check
    for check in check_format check_shell check_licence check_places; do
        "$check" || status=1
    done
    return "$status"
}

# Kernels, library and command; the tests' bodies hide in Criterion's macros.
stage_cppcheck() {
    local folder=$work/cppcheck
    mkdir -p -- "$folder"
    cppcheck --quiet --std=c11 --language=c --enable=warning,performance,portability --inline-suppr \
        --suppressions-list="$ci/cppcheck.supp" --error-exitcode=1 --cppcheck-build-dir="$folder" -j "$(nproc)" \
        -D_GNU_SOURCE -D__x86_64__ -D__linux__ -D_OPENMP=201511 -Iinclude -Isimd -Isimd/table -Isrc -Icli src simd cli examples
}
