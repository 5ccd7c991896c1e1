# shellcheck shell=bash disable=SC2154 # root, ci, work: set by .ci/run
# SPDX-License-Identifier: Apache-2.0
# What runs on this machine's own CPU: the test suite, both compilers, the sanitizers, a path with a space.

# The suite as everyone runs it. Its last line is kept: it is also the last line of the whole run.
stage_tests() {
    local status=0
    "$root/bootstrap" test --build "$work/tests" 2>&1 | tee "$work/tests.log" || status=$?
    tail -n 1 "$work/tests.log" | grep -E '^[0-9]+ passed, [0-9]+ failed' >"$work/counts" || true
    return "$status"
}

stage_warnings() {
    CC=gcc CXX=g++ build gcc --werror
    CC=clang CXX=clang++ build clang --werror
}

# Criterion lets a test pass whose worker leaked, so every report goes to a file, and any file fails the stage.
stage_sanitizers() {
    local reports=$work/sanitizers.reports found status=0
    rm -rf -- "$reports"
    mkdir -- "$reports"
    CC=gcc CXX=g++ build sanitizers -Db_sanitize=address,undefined -Dbench=false \
        -Dc_args='-fno-sanitize-recover=all -fno-omit-frame-pointer'
    ASAN_OPTIONS="log_path=$reports/asan:detect_leaks=1:abort_on_error=0:allocator_may_return_null=1" \
        UBSAN_OPTIONS="log_path=$reports/ubsan:print_stacktrace=1" \
        LSAN_OPTIONS="suppressions=$ci/leaks.supp:print_suppressions=0" \
        run_tests sanitizers --timeout-multiplier 4 || status=$?
    # A warning that a thread could not be stopped while looking for leaks is no report.
    mapfile -t found < <(grep -l -r -E 'ERROR: |runtime error: ' "$reports" || true)
    if [[ ${#found[@]} -gt 0 ]]; then
        head -n 60 "${found[@]}" | head -n 400
        fail "${#found[@]} processes were reported by a sanitizer"
    fi
    return "$status"
}

# Criterion does not start under TSan; the stress program has a plain main. Its OpenMP must be one that TSan
# understands (libomp with archer), else every barrier looks like a race. Only this program: clang's sanitizers do not
# link into shared libraries that must have no undefined symbols. With the scalar kernels: clang does not instrument
# accesses of 32 and 64 bytes, so a race on an array stays unseen with AVX2 and AVX-512. Without forks, which TSan
# does not bear.
stage_races() {
    CC=clang CXX=clang++ configure races -Db_sanitize=thread -Db_lundef=false -Dbench=false -Dcli=false \
        -Dc_args=-fno-omit-frame-pointer
    quietly "$work/races.compile.log" meson compile -C "$work/races" -j "$(nproc)" stress
    unset "${!GLISSADE_@}" "${!OMP_@}" "${!KMP_@}"
    GLISSADE_ISA=scalar TSAN_OPTIONS='ignore_noninstrumented_modules=1 halt_on_error=0 exitcode=66' \
        timeout 300 "$work/races/tests/stress" --runs 5 --no-fork
}

# That the tests of files and state reach their code, where a line that no test runs is a fault that no test finds.
stage_coverage() {
    local suites=(files files_header files_faults files_replay states_labels states_fields states_load states_resume
        states_async states_faults states_torch states_v1 fuzz_header fuzz_options fuzz_api)
    configure coverage -Db_coverage=true -Dbench=false -Dcli=false
    quietly "$work/coverage.compile.log" meson compile -C "$work/coverage" -j "$(nproc)"
    run_tests coverage --timeout-multiplier 3 "${suites[@]}"
    gcovr --root "$root" --filter 'src/(file|state)/' --exclude-throw-branches --exclude-unreachable-branches \
        --fail-under-line 95 --fail-under-branch 90 --sort-uncovered "$work/coverage"
}

# Whatever pastes a path into a command line unquoted fails here: all that starts programs or names files.
stage_space() {
    local tree="$work/a path with spaces/glissade"
    rm -rf -- "$work/a path with spaces"
    mkdir -p -- "$tree"
    tree_files | tar -C "$root" -c --files-from=- | tar -C "$tree" -x
    "$tree/bootstrap" test cli state resume readme consumer files minimal environment processes
}
