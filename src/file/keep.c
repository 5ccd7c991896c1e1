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

/* The lowest number but one's own, and how many there are. */
struct survey {
    const gls_path *path;
    uint64_t own, lowest, above, count;
    bool found;
};

static bool look(void *context, const char *name) {
    struct survey *survey = context;
    uint64_t number;
    if (!parse(survey->path, name, &number))
        return true;
    survey->count++;
    if (number != survey->own && number >= survey->above && (!survey->found || number < survey->lowest)) {
        survey->lowest = number;
        survey->found = true;
    }
    return true;
}

void gls_keep_prune(const gls_path *path, uint32_t keep, uint64_t number) {
    uint64_t stuck = 0;
    for (uint64_t above = 0;;) {
        struct survey survey = {.path = path, .own = number, .above = above};
        char name[GLS_NAME_MAX + 1];
        bool exists;
        if (gls_os_table->list(path->folder, look, &survey) || !survey.found ||
            survey.count <= keep + stuck || !gls_keep_name(name, path, survey.lowest))
            return;
        /* Only what can be one of ours: a folder or a link of this name is somebody else's. */
        if (gls_path_regular(path, name, &exists, NULL) || gls_os_table->unlinkat(path->folder, name))
            stuck++;
        if (survey.lowest == UINT64_MAX)
            return;
        above = survey.lowest + 1;
    }
}
