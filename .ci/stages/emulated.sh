# shellcheck shell=bash disable=SC2154 # root, ci, work: set by .ci/run
# SPDX-License-Identifier: Apache-2.0
# What runs on CPUs that this machine is not.

# Makes the execs of a test's workers stay in the emulator, and every process say what CPU it sees.
# A folder of its own under /tmp: LD_PRELOAD takes no path with a space.
prepare_reexec() { # COMPILER... -> sets reexec
    reexec=$(mktemp -d)
    # shellcheck disable=SC2064 # the folder of now
    trap "rm -rf -- '$reexec'" EXIT
    "$@" -std=gnu17 -Wall -Wextra -Werror -O1 -fPIC -shared -o "$reexec/reexec.so" "$root/tests/emulation/reexec.c"
}

# All processes of the tests must have been on the emulated CPU, and workers must have been among them.
check_emulation() { # EXTENSIONS
    local programs workers strangers
    programs=$(grep -c "^program $1\$" "$reexec/log" || true)
    workers=$(grep -c "^worker $1\$" "$reexec/log" || true)
    strangers=$(grep -c -v " $1\$" "$reexec/log" || true)
    printf 'ran on a CPU with %s: %d programs, %d workers; elsewhere: %d\n' "$1" "$programs" "$workers" "$strangers"
    [[ $programs -gt 0 && $workers -gt 0 && $strangers == 0 ]] || fail 'not everything ran in the emulator'
    rm -f -- "$reexec/log"
}

run_emulated() { # BUILD EXTENSIONS EMULATOR MESON_TEST_ARGUMENT...; the caller sets the other QEMU_ variables
    local name=$1 extensions=$2 emulator=$3
    shift 3
    QEMU_SET_ENV=LD_PRELOAD=$reexec/reexec.so EMULATION_LOG=$reexec/log EMULATION_COMMAND=$emulator \
        run_tests "$name" --timeout-multiplier 10 "$@"
    check_emulation "$extensions"
}

# That no CPU is asked for what it lacks: all rules through the public interface, and (bits) every kernel that dispatch
# can choose there. Not the tests with guard pages: a masked load of qemu 7.2 touches what its mask leaves out.
stage_emulated() {
    local qemu tests=(dispatch oracle trajectory rules) bits=$work/tests/tests/bits
    qemu=$(command -v qemu-x86_64)
    prepare_reexec gcc
    "$bits" --quick >"$work/bits.native"

    export QEMU_CPU=Nehalem
    run_emulated tests sse "$qemu" --wrapper "$qemu" "${tests[@]}"
    "$qemu" "$bits" --quick >"$work/bits.nehalem"

    # Without what qemu would warn that it cannot do, in each process.
    export QEMU_CPU=Haswell,-pcid,-x2apic,-tsc-deadline,-hle,-invpcid,-rtm
    run_emulated tests avx2 "$qemu" --wrapper "$qemu" "${tests[@]}"
    "$qemu" "$bits" --quick >"$work/bits.haswell"

    "$ci/compare-bits" "$work/bits.native" "$work/bits.nehalem" "$work/bits.haswell"
}

# NEON runs nowhere else, so here every kernel at every length against guard pages, and all digests.
stage_aarch64() {
    local qemu sysroot=$work/sysroot
    qemu=$(command -v qemu-aarch64)
    "$root/tests/emulation/sysroot" "$sysroot"
    build aarch64 --cross-file "$sysroot/sysroot.ini" --cross-file "$root/tests/emulation/aarch64.ini" \
        --werror -Dbench=false -Dcli=false
    prepare_reexec aarch64-linux-gnu-gcc --sysroot="$sysroot/root"
    export QEMU_LD_PREFIX=$sysroot/root
    run_emulated aarch64 neon "$qemu" vocabulary kernels dispatch debias elementary oracle trajectory optimizer \
        rules formats formats_engine fused files_header states_fields states_load

    "$work/tests/tests/bits" >"$work/bits.x86_64"
    "$qemu" "$work/aarch64/tests/bits" >"$work/bits.aarch64"
    "$ci/compare-bits" "$work/bits.x86_64" "$work/bits.aarch64"
}
