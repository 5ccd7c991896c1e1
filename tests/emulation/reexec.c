/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded into an emulated test program: keeps what the program execs of itself inside the emulator.
 *
 * Criterion execs the test binary anew for each test (argv[0] is "boxfort-worker"). qemu-user passes that
 * exec on to the host kernel, so an x86-64 worker would run on the real CPU and prove nothing, and an AArch64
 * one would not start at all. Here such an exec becomes: EMULATOR -0 boxfort-worker <program> ...
 *
 * The emulator's own settings travel in its environment variables (QEMU_CPU, QEMU_LD_PREFIX, and
 * QEMU_SET_ENV, which preloads this library into the emulated program only). EMULATION_COMMAND names the
 * emulator, and EMULATION_LOG a file to which every process writes one line: the role it plays and the vector
 * extensions that it finds. The stage that runs the emulator reads there that the workers really ran on the
 * CPU asked for.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_ARGUMENTS = 64 };

typedef int execve_function(const char *path, char *const argv[], char *const envp[]);

/* Only the workers of the program itself: whatever else a test starts (sh, true) is a program of the host. */
static int is_own_worker(char *const argv[]) {
    return argv[0] != NULL && strcmp(argv[0], "boxfort-worker") == 0;
}

/* envp without LD_PRELOAD, which is meant for the emulated program and not for the emulator. */
static char **without_preload(char *const envp[]) {
    size_t count = 0, kept = 0;

    while (envp[count] != NULL)
        count++;
    char **copy = calloc(count + 1, sizeof *copy);
    if (copy == NULL)
        return NULL;
    for (size_t i = 0; i < count; i++)
        if (strncmp(envp[i], "LD_PRELOAD=", 11) != 0)
            copy[kept++] = envp[i];
    return copy;
}

int execve(const char *path, char *const argv[], char *const envp[]) {
    static char self[4096];
    execve_function *next = (execve_function *)dlsym(RTLD_NEXT, "execve");
    char *emulator = getenv("EMULATION_COMMAND");
    char *arguments[MAX_ARGUMENTS] = {emulator, (char *)"-0", argv[0], self};
    size_t count = 4;

    if (emulator == NULL || !is_own_worker(argv))
        return next(path, argv, envp);
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length < 0)
        return -1;
    self[length] = 0;
    for (size_t i = 1; argv[i] != NULL; i++) {
        if (count == MAX_ARGUMENTS - 1) {
            errno = E2BIG;
            return -1;
        }
        arguments[count++] = argv[i];
    }
    char **environment = without_preload(envp);
    if (environment == NULL)
        return -1;
    return next(emulator, arguments, environment);
}

static const char *vector_extensions(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f"))
        return "avx512";
    if (__builtin_cpu_supports("avx2"))
        return "avx2";
    return __builtin_cpu_supports("avx") ? "avx" : "sse";
#elif defined(__aarch64__)
    return "neon";
#else
#error "no emulator is set up for this architecture"
#endif
}

__attribute__((constructor)) static void report_process(int argc, char **argv) {
    const char *path = getenv("EMULATION_LOG");
    char line[64];
    int file;

    if (path == NULL || argc < 1)
        return;
    file = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    if (file < 0)
        _exit(126);
    int length = snprintf(line, sizeof line, "%s %s\n", is_own_worker(argv) ? "worker" : "program",
                          vector_extensions());
    if (write(file, line, (size_t)length) != length)
        _exit(126);
    close(file);
}
