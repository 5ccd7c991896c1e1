/* SPDX-License-Identifier: Apache-2.0 */
/* Structs that grow (see options.h). They are copied as bytes: a size field, then whatever was known when. */
#include "options.h"

#include <string.h>

static size_t current_size(const gls_layout *layout) {
    size_t size = 0;
    for (size_t i = 0; i < sizeof layout->published / sizeof *layout->published && layout->published[i]; i++)
        size = layout->published[i];
    return size;
}

static bool was_published(const gls_layout *layout, size_t size) {
    for (size_t i = 0; i < sizeof layout->published / sizeof *layout->published; i++)
        if (size && layout->published[i] == size)
            return true;
    return false;
}

static glissade_status check_size(const gls_layout *layout, size_t size, glissade_error *error) {
    const size_t current = current_size(layout);
    if ((size > current && size <= GLS_SIZE_MAX) || was_published(layout, size))
        return GLISSADE_STATUS_OK;
    return gls_error_set(error, GLISSADE_STATUS_INVALID_SIZE,
                         "%s.size is %zu; accepted: %zu, as its _init function sets it, up to %d",
                         layout->name, size, current, GLS_SIZE_MAX);
}

glissade_status gls_options_read(const gls_layout *layout, void *known, const void *given,
                                 glissade_error *error) {
    size_t size;
    memcpy(&size, given, sizeof size);
    const glissade_status status = check_size(layout, size, error);
    if (status)
        return status;

    const size_t current = current_size(layout);
    const unsigned char *bytes = given;
    for (size_t i = current; i < size; i++)
        if (bytes[i])
            return gls_error_set(
                error, GLISSADE_STATUS_INVALID_SIZE,
                "%s.size is %zu, and byte %zu, past the %zu that this version knows, is not zero",
                layout->name, size, i, current);
    memcpy(known, given, size < current ? size : current);
    return GLISSADE_STATUS_OK;
}

glissade_status gls_options_check(const gls_layout *layout, const void *filled, glissade_error *error) {
    size_t size;
    memcpy(&size, filled, sizeof size);
    return check_size(layout, size, error);
}

glissade_status gls_options_write(const gls_layout *layout, void *filled, const void *known,
                                  glissade_error *error) {
    const glissade_status status = gls_options_check(layout, filled, error);
    if (status)
        return status;
    size_t size;
    memcpy(&size, filled, sizeof size);
    gls_options_init(layout, filled, size, known);
    return GLISSADE_STATUS_OK;
}

void gls_options_init(const gls_layout *layout, void *options, size_t size, const void *defaults) {
    if (!options || size < sizeof size)
        return;
    const size_t current = current_size(layout);
    memset(options, 0, size);
    memcpy(options, defaults, size < current ? size : current);
    memcpy(options, &size, sizeof size);
}
