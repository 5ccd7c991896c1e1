/* SPDX-License-Identifier: Apache-2.0 */
/* Numbered files (see keep.h). */
#include "keep.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "os.h"

enum { DIGITS = 20 };

/* Where the number goes: before the last '.', if that is not the name's first byte. */
static size_t stem_of(const char *name) {
    const char *dot = strrchr(name, '.');
    return dot && dot > name ? (size_t)(dot - name) : strlen(name);
}

bool gls_keep_name(char name[GLS_NAME_MAX + 1], const gls_path *path, uint64_t number) {
    const size_t stem = stem_of(path->name);
    const int length = snprintf(name, GLS_NAME_MAX + 1, "%.*s-%020" PRIu64 "%s", (int)stem, path->name,
                                number, path->name + stem);
    return length <= GLS_NAME_MAX;
}

/* The number of a name that gls_keep_name can have made. */
static bool parse(const gls_path *path, const char *name, uint64_t *number) {
    const size_t stem = stem_of(path->name);
    if (strlen(name) != strlen(path->name) + 1 + DIGITS || strncmp(name, path->name, stem) != 0 ||
        name[stem] != '-' || strcmp(name + stem + 1 + DIGITS, path->name + stem) != 0)
        return false;
    *number = 0;
    for (size_t i = 0; i < DIGITS; i++) {
        const unsigned digit = (unsigned)(name[stem + 1 + i] - '0');
        if (digit > 9 || __builtin_mul_overflow(*number, 10, number) ||
            __builtin_add_overflow(*number, digit, number))
            return false;
    }
    return true;
}

/* How many numbered files there are, and which may go: the highest above one's own, the lowest below it. */
struct survey {
    const gls_path *path;
    uint64_t own, low, high; /* those below `low` and above `high` have shown that they stay */
    uint64_t above, below, count;
    bool has_above, has_below;
};

static bool look(void *context, const char *name) {
    struct survey *it = context;
    uint64_t number;
    if (!parse(it->path, name, &number))
        return true;
    it->count++;
    if (number > it->own && number <= it->high && (!it->has_above || number > it->above)) {
        it->above = number;
        it->has_above = true;
    }
    if (number < it->own && number >= it->low && (!it->has_below || number < it->below)) {
        it->below = number;
        it->has_below = true;
    }
    return true;
}

/* Only what can be one of ours: a folder or a link of this name is somebody else's. */
static bool remove_number(const gls_path *path, uint64_t number) {
    char name[GLS_NAME_MAX + 1];
    bool exists;
    return gls_keep_name(name, path, number) && !gls_path_regular(path, name, &exists, NULL) &&
           gls_os_table->unlinkat(path->folder, name) == 0;
}

void gls_keep_prune(const gls_path *path, uint32_t keep, uint64_t number) {
    uint64_t low = 0, high = UINT64_MAX, stuck = 0;
    for (;;) {
        struct survey survey = {.path = path, .own = number, .low = low, .high = high};
        if (gls_os_table->list(path->folder, look, &survey) || survey.count <= keep + stuck ||
            !(survey.has_above || survey.has_below))
            return;
        const uint64_t victim = survey.has_above ? survey.above : survey.below;
        if (remove_number(path, victim))
            continue;
        stuck++;
        if (survey.has_above)
            high = victim - 1;
        else
            low = victim + 1;
    }
}
