/* SPDX-License-Identifier: Apache-2.0 */
/* Arrays between forbidden pages, and running code that might touch them (see guarded.h). */
#include "guarded.h"

#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Wider than the widest vector, so that a whole vector stored too far is seen. */
enum { MARGIN = 32 };

/* Signalling NaNs: no arithmetic result looks like them. */
#define MARK    0x7FA5C3E1u
#define FOUR(x) x, x, x, x
static const uint32_t marks[MARGIN] = {FOUR(FOUR(MARK)), FOUR(FOUR(MARK))};

static size_t page_size(void) {
    return (size_t)sysconf(_SC_PAGESIZE);
}

bool guarded_open(guarded *memory, size_t elements) {
    const size_t page = page_size();
    const size_t bytes = ((elements + 2 * MARGIN + GUARDED_OFFSETS) * sizeof(float) + page - 1) / page * page;
    char *map = mmap(NULL, bytes + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED)
        return false;
    if (mprotect(map + page, bytes, PROT_READ | PROT_WRITE)) {
        munmap(map, bytes + 2 * page);
        return false;
    }
    *memory = (guarded){.begin = (float *)(void *)(map + page), .end = (float *)(void *)(map + page + bytes)};
    return true;
}

void guarded_close(guarded *memory) {
    const size_t page = page_size();
    munmap((char *)memory->begin - page, (size_t)((char *)memory->end - (char *)memory->begin) + 2 * page);
    *memory = (guarded){0};
}

float *guarded_place(const guarded *memory, int place, size_t n) {
    if (place == GUARDED_AT_END)
        return memory->end - n;
    return place == GUARDED_AT_START ? memory->begin : memory->begin + MARGIN + place;
}

const char *guarded_place_text(int place) {
    static const char *const texts[GUARDED_PLACES] = {
        "at offset 0",  "at offset 1",  "at offset 2",  "at offset 3",  "at offset 4",  "at offset 5",
        "at offset 6",  "at offset 7",  "at offset 8",  "at offset 9",  "at offset 10", "at offset 11",
        "at offset 12", "at offset 13", "at offset 14", "at offset 15", "at the end",   "at the start"};
    return place >= 0 && place < GUARDED_PLACES ? texts[place] : "nowhere";
}

/* The marked elements before x and after x + n, as far as there are any. */
static size_t before(const guarded *memory, const float *x) {
    const size_t room = (size_t)(x - memory->begin);
    return room < MARGIN ? room : MARGIN;
}

static size_t after(const guarded *memory, const float *end) {
    const size_t room = (size_t)(memory->end - end);
    return room < MARGIN ? room : MARGIN;
}

void guarded_mark(const guarded *memory, float *x, size_t n) {
    const size_t room = before(memory, x);
    memcpy(x - room, marks, room * sizeof *x);
    memcpy(x + n, marks, after(memory, x + n) * sizeof *x);
}

bool guarded_marks_intact(const guarded *memory, const float *x, size_t n) {
    const size_t room = before(memory, x);
    return !memcmp(x - room, marks, room * sizeof *x) &&
           !memcmp(x + n, marks, after(memory, x + n) * sizeof *x);
}

/* ---- catching the touch ---- */

static sigjmp_buf escape;
static volatile sig_atomic_t running;
static const void *volatile touched;
static struct sigaction found_segv, found_bus;

/* A fault outside guarded_run happens again, under the handlers found. */
static void on_fault(int signal, siginfo_t *info, void *context) {
    (void)context;
    if (!running) {
        sigaction(signal, signal == SIGSEGV ? &found_segv : &found_bus, NULL);
        return;
    }
    touched = info->si_addr;
    siglongjmp(escape, 1);
}

/* Once, and without a signal mask to be saved and restored (SA_NODEFER), because a test runs millions of
 * actions and each would cost several system calls. */
static void catch_faults(void) {
    static bool catching;
    if (catching)
        return;
    catching = true;
    struct sigaction handler;
    memset(&handler, 0, sizeof handler);
    handler.sa_sigaction = on_fault;
    handler.sa_flags = SA_SIGINFO | SA_NODEFER;
    sigaction(SIGSEGV, &handler, &found_segv);
    sigaction(SIGBUS, &handler, &found_bus);
}

bool guarded_run(guarded_action *action, void *context, const void **fault) {
    catch_faults();
    const bool escaped = sigsetjmp(escape, 0) != 0;
    running = 1;
    if (!escaped)
        action(context);
    running = 0;
    if (escaped && fault)
        *fault = touched;
    return !escaped;
}
