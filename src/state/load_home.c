/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arrays that the file's bytes may go to at once: those of the library's that hold nothing but zeros, of tensors that have
 * not stepped, as when training is resumed. They need no memory beside them, and if the load fails they become zeros
 * again. Everything else waits in memory of its own until the whole file has been checked.
 */
#include <string.h>

#include "collect.h"
#include "load.h"
#include "plan.h"

struct housing {
    gls_loading *loading;
    _Atomic size_t next;
};

static bool is_zero(const char *bytes, size_t count) {
    const size_t head = count < 64 ? count : 64;
    for (size_t i = 0; i < head; i++)
        if (bytes[i])
            return false;
    return memcmp(bytes, bytes + head, count - head) == 0; /* each byte is like one before it */
}

/* Arrays are made of zeros; where nobody can have written, nobody looks. */
static bool holds_zeros(const gls_group *group, uint32_t tensor, const char *bytes, size_t count) {
    return (!group->written && !group->tensors[tensor].counted) || is_zero(bytes, count);
}

/* Where a transfer's bytes can go at once; NULL: nowhere. */
static char *home_of(const gls_loading *loading, size_t tensor, const gls_transfer *it) {
    const gls_group *group = gls_loading_group(loading, tensor);
    const uint32_t index = loading->names.items[tensor].tensor;
    char *array = gls_group_array(group, index, it->array);
    const bool whole = it->entry != SIZE_MAX && it->units == SIZE_MAX && it->same;
    if (!whole || !array || !gls_array_is_state(it->array) || group->tensors[index].t ||
        gls_group_is_callers(group, array) ||
        !holds_zeros(group, index, array + it->part.offset, it->part.bytes))
        return NULL;
    return array + it->part.offset;
}

static void house(void *context, uint32_t shard) {
    (void)shard;
    struct housing *housing = context;
    const gls_loading *loading = housing->loading;
    for (size_t i; (i = atomic_fetch_add(&housing->next, 1)) < loading->names.count;)
        for (size_t j = 0; j < loading->tensors[i].count; j++) {
            gls_transfer *it = &loading->transfers[loading->tensors[i].first + j];
            it->home = home_of(loading, i, it);
        }
}

void gls_loading_house(gls_loading *loading) {
    struct housing housing = {.loading = loading};
    gls_engine_execute(loading->optimizer->engine, (size_t)loading->header->data_bytes, house, &housing);
    for (size_t i = 0; i < loading->names.count; i++)
        for (size_t j = 0; j < loading->tensors[i].count; j++) {
            const gls_transfer *it = &loading->transfers[loading->tensors[i].first + j];
            if (it->home)
                loading->data[it->entry] = it->home;
        }
}

void gls_loading_evict(gls_loading *loading) {
    for (size_t i = 0; loading->tensors && i < loading->names.count; i++)
        for (size_t j = 0; j < loading->tensors[i].count; j++) {
            gls_transfer *it = &loading->transfers[loading->tensors[i].first + j];
            if (it->home)
                memset(it->home, 0, it->part.bytes);
            it->home = NULL;
        }
}
