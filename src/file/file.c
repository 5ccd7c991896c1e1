/* SPDX-License-Identifier: Apache-2.0 */
/* The public calls on tensor files: each a few lines on top of header, writing and reading. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "alloc.h"
#include "clock.h"
#include "engine.h"
#include "guest.h"
#include "options.h"
#include "os.h"
#include "plan.h"
#include "read.h"
#include "write.h"

static const gls_layout tensor_layout = {"glissade_file_tensor", {sizeof(glissade_file_tensor)}};
static const gls_layout report_layout = {"glissade_file_report", {sizeof(glissade_file_report)}};

glissade_status gls_file_report_check(const glissade_file_report *report, glissade_error *error) {
    return report ? gls_options_check(&report_layout, report, error) : GLISSADE_STATUS_OK;
}

void gls_file_report_write(glissade_file_report *report, const glissade_file_report *known) {
    if (report)
        (void)gls_options_write(&report_layout, report, known, NULL);
}

/* ---- writing ---- */

/* Reads the caller's tensors; entry i is of tensor i. */
static glissade_status read_tensors(const glissade_file_tensor *tensors, size_t count,
                                    glissade_file_tensor *known, gls_entry *entries, glissade_error *error) {
    const char *next = (const char *)tensors;
    for (size_t i = 0; i < count; i++) {
        size_t size;
        memcpy(&size, next, sizeof size);
        const glissade_status status = gls_options_read(&tensor_layout, &known[i], next, error);
        if (status)
            return status;
        if (size != tensors->size)
            return gls_error_set(error, GLISSADE_STATUS_INVALID_SIZE,
                                 "tensor %zu has size %zu, tensor 0 %zu; accepted: one size for all", i, size,
                                 tensors->size);
        if (!known[i].name || (known[i].rank && !known[i].shape))
            return gls_error_set(error, GLISSADE_STATUS_NULL_ARGUMENT, "%s of tensor %zu is NULL",
                                 known[i].name ? "shape" : "name", i);
        entries[i] = (gls_entry){.name = known[i].name,
                                 .dtype = known[i].dtype,
                                 .rank = known[i].rank,
                                 .shape = known[i].shape,
                                 .tag = i};
        next += size;
    }
    return GLISSADE_STATUS_OK;
}

static glissade_status make_sources(const glissade_file_tensor *tensors, const gls_entry *entries,
                                    size_t count, gls_writing *writing, glissade_error *error) {
    for (size_t i = 0; i < count; i++) {
        if (entries[i].begin == entries[i].end)
            continue;
        const void *data = tensors[entries[i].tag].data;
        if (!data)
            return gls_error_set(error, GLISSADE_STATUS_NULL_ARGUMENT, "data of tensor %zu is NULL",
                                 entries[i].tag);
        writing->sources[writing->source_count++] =
            (gls_source){.begin = entries[i].begin, .end = entries[i].end, .data = data, .callers = true};
    }
    return GLISSADE_STATUS_OK;
}

static glissade_status prepare(const glissade_file_tensor *tensors, size_t count,
                               const glissade_file_text *metadata, size_t lines, gls_writing *writing,
                               glissade_error *error) {
    glissade_file_tensor *known = gls_alloc(count, sizeof *known);
    gls_entry *entries = gls_alloc(count, sizeof *entries);
    writing->sources = gls_alloc(count, sizeof *writing->sources);
    glissade_status status = GLISSADE_STATUS_OK;
    if (!known || !entries || !writing->sources)
        status = gls_error_set(error, GLISSADE_STATUS_OUT_OF_MEMORY, "no memory to list %zu tensors", count);
    if (!status)
        status = read_tensors(tensors, count, known, entries, error);
    if (!status)
        status = gls_heading_make(&writing->heading, entries, count, metadata, lines,
                                  !writing->options.omit_checksums, error);
    if (!status)
        status = make_sources(known, entries, count, writing, error);
    gls_free(known);
    gls_free(entries);
    return status;
}

static glissade_status write_file(const char *path, const glissade_file_tensor *tensors, size_t count,
                                  const glissade_file_text *metadata, size_t lines,
                                  const glissade_file_options *options, gls_writing *writing,
                                  glissade_error *error) {
    if (!path || (count && !tensors) || (lines && !metadata))
        return gls_error_set(error, GLISSADE_STATUS_NULL_ARGUMENT, "%s is NULL",
                             !path               ? "path"
                             : count && !tensors ? "tensors"
                                                 : "metadata");
    for (size_t i = 0; i < lines; i++) {
        if (!metadata[i].key || !metadata[i].value)
            return gls_error_set(error, GLISSADE_STATUS_NULL_ARGUMENT, "%s of metadata line %zu is NULL",
                                 metadata[i].key ? "value" : "key", i);
    }
    glissade_status status = gls_writing_options(options, &writing->options, error);
    if (!status)
        status = prepare(tensors, count, metadata, lines, writing, error);
    if (!status)
        status = gls_path_open(&writing->path, path, O_RDONLY, error);
    return status ? status : gls_writing_run(writing, error);
}

glissade_status glissade_file_write(glissade_engine *engine, const char *path,
                                    const glissade_file_tensor *tensors, size_t count,
                                    const glissade_file_text *metadata, size_t lines,
                                    const glissade_file_options *options, glissade_file_report *report,
                                    glissade_error *error) {
    gls_error_clear(error);
    const gls_guest guest = gls_guest_enter();
    gls_writing writing = {.engine = engine, .path = {.folder = -1}};
    const double begun = gls_seconds();
    glissade_status status = gls_file_report_check(report, error);
    if (!status)
        status = write_file(path, tensors, count, metadata, lines, options, &writing, error);
    if (!status) {
        const glissade_file_report known = gls_writing_report(&writing, begun);
        gls_file_report_write(report, &known);
    }
    gls_writing_destroy(&writing);
    gls_guest_leave(&guest);
    return status;
}

/* ---- opening ---- */

static glissade_status read_exactly(const glissade_file *file, void *bytes, size_t count, uint64_t offset,
                                    glissade_error *error) {
    const ssize_t got = gls_os_read(file->fd, bytes, count, offset);
    char room[96];
    if (got < 0)
        return gls_error_set(error, GLISSADE_STATUS_IO, "%s: read its header: %s (%d)", file->quoted,
                             strerror_r(errno, room, sizeof room), errno);
    if ((size_t)got < count)
        return gls_error_set(error, GLISSADE_STATUS_INVALID_FILE,
                             "%s: it ends at offset %llu, inside its header of %llu bytes", file->quoted,
                             (unsigned long long)offset + (unsigned long long)got,
                             (unsigned long long)offset + count);
    return GLISSADE_STATUS_OK;
}

static glissade_status read_header(glissade_file *file, glissade_error *error) {
    unsigned char prefix[GLS_HEADER_PREFIX];
    uint64_t bytes;
    if (file->bytes < sizeof prefix)
        return gls_error_set(error, GLISSADE_STATUS_INVALID_FILE,
                             "%s: it has %llu bytes; expected: at least 8, the length of its header",
                             file->quoted, (unsigned long long)file->bytes);
    glissade_status status = read_exactly(file, prefix, sizeof prefix, 0, error);
    if (!status)
        status = gls_header_length(prefix, file->bytes, file->quoted, &bytes, error);
    if (status)
        return status;
    char *text = gls_alloc(sizeof prefix + (size_t)bytes, 1);
    if (!text)
        return gls_error_set(error, GLISSADE_STATUS_OUT_OF_MEMORY, "%s: no memory for a header of %llu bytes",
                             file->quoted, (unsigned long long)bytes);
    memcpy(text, prefix, sizeof prefix);
    status = read_exactly(file, text + sizeof prefix, (size_t)bytes, sizeof prefix, error);
    if (!status)
        status = gls_header_parse(&file->header, text, sizeof prefix + (size_t)bytes, file->bytes,
                                  file->quoted, error);
    gls_free(text);
    return status;
}

/* O_NONBLOCK, so that a pipe put in the file's place meanwhile is an error and no waiting. */
static glissade_status open_file(const gls_path *path, glissade_file *file, glissade_error *error) {
    bool exists;
    const glissade_status status = gls_path_regular(path, path->name, &exists, error);
    if (status)
        return status;
    file->fd = gls_os_open(path->folder, path->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);
    struct stat found;
    if (file->fd < 0)
        return gls_path_fail(path, "open", errno, error);
    if (gls_os_table->fstat(file->fd, &found))
        return gls_path_fail(path, "look at it", errno, error);
    if (!S_ISREG(found.st_mode))
        return gls_error_set(error, GLISSADE_STATUS_IO, "%s: it is no regular file", path->quoted);
    file->bytes = (uint64_t)found.st_size;
    return read_header(file, error);
}

glissade_status glissade_file_open(const char *path, glissade_file **file, glissade_error *error) {
    gls_error_clear(error);
    if (file)
        *file = NULL;
    if (!path || !file)
        return gls_error_set(error, GLISSADE_STATUS_NULL_ARGUMENT, "%s is NULL", path ? "file" : "path");
    const gls_guest guest = gls_guest_enter();
    glissade_file *made = gls_alloc(1, sizeof *made);
    gls_path where = {.folder = -1};
    glissade_status status =
        made ? gls_path_open(&where, path, O_PATH, error)
             : gls_error_set(error, GLISSADE_STATUS_OUT_OF_MEMORY, "no memory for an open file");
    if (made) {
        made->fd = -1;
        memcpy(made->quoted, where.quoted, sizeof made->quoted);
    }
    if (!status)
        status = open_file(&where, made, error);
    gls_path_close(&where);
    if (status)
        glissade_file_close(&made);
    else
        *file = made;
    gls_guest_leave(&guest);
    return status;
}

void glissade_file_close(glissade_file **file) {
    if (!file || !*file)
        return;
    const gls_guest guest = gls_guest_enter();
    if ((*file)->fd >= 0)
        gls_os_table->close((*file)->fd);
    gls_header_destroy(&(*file)->header);
    gls_free(*file);
    *file = NULL;
    gls_guest_leave(&guest);
}

/* ---- what a file holds ---- */

size_t glissade_file_count(const glissade_file *file) {
    return file ? file->header.entry_count : 0;
}

glissade_status glissade_file_get(const glissade_file *file, size_t index, glissade_file_tensor *tensor) {
    if (!file || !tensor)
        return GLISSADE_STATUS_NULL_ARGUMENT;
    if (index >= file->header.entry_count)
        return GLISSADE_STATUS_NOT_FOUND;
    const gls_entry *entry = &file->header.entries[index];
    const glissade_file_tensor known = {.name = entry->name,
                                        .dtype = entry->dtype,
                                        .rank = entry->rank,
                                        .shape = entry->shape,
                                        .offset = file->header.data_begin + entry->begin,
                                        .bytes = entry->end - entry->begin};
    return gls_options_write(&tensor_layout, tensor, &known, NULL);
}

size_t glissade_file_find(const glissade_file *file, const char *name) {
    return file && name ? gls_header_find(&file->header, name) : SIZE_MAX;
}

size_t glissade_file_text_count(const glissade_file *file) {
    return file ? file->header.text_count : 0;
}

glissade_file_text glissade_file_text_at(const glissade_file *file, size_t index) {
    return file && index < file->header.text_count ? file->header.texts[index]
                                                   : (glissade_file_text){NULL, NULL};
}

const char *glissade_file_text_find(const glissade_file *file, const char *key) {
    return file && key ? gls_header_text(&file->header, key) : NULL;
}

bool glissade_file_has_checksums(const glissade_file *file) {
    return file && file->header.chunk_bytes;
}

uint64_t glissade_file_bytes(const glissade_file *file) {
    return file ? file->bytes : 0;
}

uint64_t glissade_file_header_bytes(const glissade_file *file) {
    return file ? file->header.data_begin : 0;
}

/* ---- reading ---- */

static glissade_status make_extents(const glissade_file *file, const glissade_file_target *targets,
                                    size_t count, gls_extent *extents, glissade_error *error) {
    for (size_t i = 0; i < count; i++) {
        if (targets[i].index >= file->header.entry_count)
            return gls_error_set(error, GLISSADE_STATUS_NOT_FOUND, "%s: there is no tensor %zu, only %zu",
                                 file->quoted, targets[i].index, file->header.entry_count);
        const gls_entry *entry = &file->header.entries[targets[i].index];
        if (!targets[i].data && entry->end > entry->begin)
            return gls_error_set(error, GLISSADE_STATUS_NULL_ARGUMENT, "data of target %zu is NULL", i);
        extents[i] = (gls_extent){entry->begin, entry->end, NULL};
    }
    return GLISSADE_STATUS_OK;
}

/* What is read, on its way to the targets once all of it is right. */
struct delivery {
    const gls_extent *extents;
    const glissade_file_target *targets;
    size_t count;
    _Atomic size_t next;
};

static void deliver(void *context, uint32_t shard) {
    (void)shard;
    struct delivery *delivery = context;
    for (size_t i; (i = atomic_fetch_add(&delivery->next, 1)) < delivery->count;) {
        const gls_extent *extent = &delivery->extents[i];
        if (extent->begin < extent->end)
            memcpy(delivery->targets[i].data, extent->to, (size_t)(extent->end - extent->begin));
    }
}

static glissade_status read_file(glissade_engine *engine, const glissade_file *file,
                                 const glissade_file_target *targets, size_t count,
                                 glissade_file_report *report, glissade_error *error) {
    gls_extent *extents = gls_alloc(count, sizeof *extents);
    if (!extents)
        return gls_error_set(error, GLISSADE_STATUS_OUT_OF_MEMORY, "no memory to list %zu tensors", count);
    gls_arena arena = {0};
    glissade_status status = make_extents(file, targets, count, extents, error);
    if (!status)
        status = gls_file_stage(engine, file, extents, count, &arena, report, error);
    if (!status) {
        struct delivery delivery = {.extents = extents, .targets = targets, .count = count};
        if (engine)
            gls_engine_execute(engine, arena.bytes, deliver, &delivery);
        else
            deliver(&delivery, GLS_ALL_SHARDS);
    }
    gls_arena_destroy(&arena);
    gls_free(extents);
    return status;
}

glissade_status glissade_file_read(glissade_engine *engine, glissade_file *file,
                                   const glissade_file_target *targets, size_t count,
                                   glissade_file_report *report, glissade_error *error) {
    gls_error_clear(error);
    if (!file || (count && !targets))
        return gls_error_set(error, GLISSADE_STATUS_NULL_ARGUMENT, "%s is NULL", file ? "targets" : "file");
    const gls_guest guest = gls_guest_enter();
    glissade_file_report known = {0};
    glissade_status status = gls_file_report_check(report, error);
    if (!status)
        status = read_file(engine, file, targets, count, &known, error);
    if (!status)
        gls_file_report_write(report, &known);
    gls_guest_leave(&guest);
    return status;
}

glissade_status glissade_file_verify(glissade_engine *engine, glissade_file *file,
                                     glissade_file_report *report, glissade_error *error) {
    gls_error_clear(error);
    if (!file)
        return gls_error_set(error, GLISSADE_STATUS_NULL_ARGUMENT, "file is NULL");
    const gls_guest guest = gls_guest_enter();
    glissade_file_report known = {0};
    glissade_status status = gls_file_report_check(report, error);
    if (!status)
        status = gls_file_check(engine, file, &known, error);
    if (!status)
        gls_file_report_write(report, &known);
    gls_guest_leave(&guest);
    return status;
}
