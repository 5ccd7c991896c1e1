# shellcheck shell=bash disable=SC2154 # root, ci, work: set by .ci/run
# SPDX-License-Identifier: Apache-2.0
# What the built library shows, calls and promises. They look at the build of stage `tests`.

shared_library() {
    local library=$work/tests/src/libglissade.so
    [[ -f $library ]] || fail "no $library (run the stage tests first)"
    readlink -f -- "$library"
}

# What a library may not do: end the process, print, read the terminal, or change what belongs to the host.
# vsnprintf and snprintf write to memory and are allowed.
forbidden_calls='abort exit _exit _Exit quick_exit atexit on_exit __assert_fail __assert raise kill tgkill
printf fprintf vprintf vfprintf dprintf vdprintf puts fputs putchar putc fputc fwrite perror psignal err errx warn
warnx verr vwarn error syslog stdout stderr __printf_chk __fprintf_chk __vfprintf_chk __vprintf_chk __dprintf_chk
write scanf gets getchar system popen fork vfork execve execv execl posix_spawn
setlocale putenv setenv unsetenv clearenv signal sigaction sigprocmask pthread_sigmask alarm setitimer chdir umask
srand rand random pow exp expm1 log log1p fesetround feenableexcept sprintf vsprintf strcpy strcat getenv'

# Names that another object of the same static library defines are its own calls.
check_calls() { # ARCHIVE
    local bad
    bad=$(nm -u "$1" | sed -n 's/^ *U //p' | sed 's/@.*//' | sort -u |
        grep -x -F -f <(tr ' ' '\n' <<<"$forbidden_calls") || true)
    [[ -z $bad ]] || fail "the library calls: $(tr '\n' ' ' <<<"$bad")"
    printf 'calls: none that is forbidden\n'
}

# Exactly what the public headers declare, under the version of the interface; nothing else, no data.
check_exports() { # LIBRARY
    local declared exported strangers
    nm -D --defined-only "$1" | sed 's/^[0-9a-f]* *//' | grep -v ' A ' | grep -v '^A ' | sort >"$work/exports"
    strangers=$(grep -v -E '^T glissade_[a-z0-9_]+@@GLISSADE_0$' "$work/exports" || true)
    [[ -z $strangers ]] || fail "exported, and not a glissade_ function at version GLISSADE_0: $strangers"
    exported=$(sed -E 's/^T ([a-z0-9_]+)@@.*/\1/' "$work/exports")
    declared=$(gcc -E -P -x c -Iinclude include/glissade/glissade.h | tr '\n' ' ' | tr ';' '\n' |
        grep 'visibility' | grep -o -E '\bglissade_[a-z0-9_]+ *\(' | tr -d ' (' | sort -u)
    if ! diff <(printf '%s\n' "$declared") <(printf '%s\n' "$exported"); then
        fail 'declared in a header (<) and exported (>) differ'
    fi
    printf 'exports: %d functions\n' "$(wc -l <<<"$exported")"
}

# The static library has no version script: what it defines for the linker to see must carry our prefixes.
check_archive() { # ARCHIVE
    local strangers
    strangers=$(nm -g --defined-only "$1" | awk 'NF == 3 {print $3}' | sort -u | grep -v -E '^(glissade|gls)_' || true)
    [[ -z $strangers ]] || fail "the static library defines: $(tr '\n' ' ' <<<"$strangers")"
    printf 'archive: only glissade_ and gls_\n'
}

check_soname() { # LIBRARY
    local soname
    soname=$(readelf -d "$1" | sed -n 's/.*(SONAME).*\[\(.*\)\]/\1/p')
    [[ $soname == libglissade.so.0 ]] || fail "the soname is $soname"
    ! readelf -d "$1" | grep TEXTREL >/dev/null || fail 'the library has text relocations'
    ! readelf -W -l "$1" | grep -E 'GNU_STACK.*E' || fail 'the library asks for an executable stack'
    printf 'soname: %s\n' "$soname"
}

stage_symbols() {
    local library archive=$work/tests/src/libglissade.a
    library=$(shared_library)
    check_soname "$library"
    check_exports "$library"
    check_archive "$archive"
    check_calls "$archive"
}

stage_interface() {
    local library recorded=tests/interface/glissade.abi status=0
    library=$(shared_library)
    abidw --no-architecture --no-elf-needed --out-file "$work/built.abi" "$library"
    abidiff "$recorded" "$work/built.abi" || status=$?
    if [[ $status != 0 ]]; then
        # abidiff's bits: 4 a change, 8 one that breaks programs.
        [[ $((status & 8)) == 0 ]] || fail 'programs linked against the recorded interface would break: a new soname'
        fail "the interface is not the recorded one (abidiff: $status); if that is meant, run tests/interface/record"
    fi
    printf 'interface: as recorded, %d functions\n' "$(grep -c '<elf-symbol ' "$recorded")"
}
