/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing a tensor file (see write.h). Threads take chunk after chunk: gather it from its sources into a buffer, piece by
 * piece, and hash each piece while it is in the cache; then write the buffer, around the page cache where that is
 * possible, which on the disks measured is two to five times as fast as through it followed by fsync.
 */
#include "write.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define XXH_STATIC_LINKING_ONLY /* for a state that needs no allocation */
#include <xxhash.h>

#include "alloc.h"
#include "clock.h"
#include "engine.h"
#include "keep.h"
#include "options.h"
#include "os.h"
#include "plan.h"
#include "temporary.h"

enum {
    PIECE = 64 * 1024,   /* copied and hashed at once */
    SLICE = 1024 * 1024, /* written at once by a writer that is held back */
    BLOCK = 4096         /* what a direct transfer is a multiple of */
};

/* ---- options ---- */

static const gls_layout layout = {"glissade_file_options", {sizeof(glissade_file_options)}};

static const glissade_file_options defaults = {.size = sizeof(glissade_file_options), .mode = 0600};

void glissade_file_options_init(glissade_file_options *options, size_t size) {
    gls_options_init(&layout, options, size, &defaults);
}

glissade_status gls_writing_options(const glissade_file_options *given, glissade_file_options *options,
                                    glissade_error *error) {
    *options = defaults;
    const glissade_status status =
        given ? gls_options_read(&layout, options, given, error) : GLISSADE_STATUS_OK;
    if (!status && (options->mode & ~0777u || !(options->mode & 0400)))
        return gls_error_set(error, GLISSADE_STATUS_INVALID_OPTION,
                             "mode is 0%o; accepted: 0400 to 0777, readable for the owner", options->mode);
    if (!status && options->number && !options->keep)
        return gls_error_set(error, GLISSADE_STATUS_INVALID_OPTION,
                             "number is %llu and keep 0; accepted: a number with keep, 0 without",
                             (unsigned long long)options->number);
    return status;
}

/* ---- chunks ---- */

struct job {
    gls_writing *writing;
    int fd;
    gls_arena buffers; /* a chunk for each thread that can have one to write */
    size_t buffer_count;
    _Atomic size_t tickets;
    uint64_t *sums;   /* of the chunks; NULL: they are not wanted */
    char tail[BLOCK]; /* what a direct transfer leaves of the data */
    size_t tail_bytes;
    size_t chunk_count;
    bool began_direct;
    _Atomic size_t next;
    atomic_int failure; /* errno of the first that failed */
    double begun;       /* gls_seconds */
};

/* The source that holds a byte. */
static const gls_source *source_of(const gls_writing *writing, uint64_t byte) {
    size_t low = 0, high = writing->source_count - 1;
    while (low < high) {
        const size_t middle = low + (high - low + 1) / 2;
        if (writing->sources[middle].begin <= byte)
            low = middle;
        else
            high = middle - 1;
    }
    return &writing->sources[low];
}

/* Gathers a range of the data and returns its checksum. */
static uint64_t gather(const gls_writing *writing, uint64_t begin, uint64_t end, char *buffer) {
    XXH3_state_t state;
    XXH3_64bits_reset(&state);
    const gls_source *source = source_of(writing, begin);
    for (uint64_t at = begin; at < end;) {
        const uint64_t piece = at, stop = end - at < PIECE ? end : at + PIECE;
        while (at < stop) {
            const uint64_t here = (source->end < stop ? source->end : stop) - at;
            memcpy(buffer + (at - begin), (const char *)source->data + (at - source->begin), here);
            at += here;
            source += at == source->end;
        }
        XXH3_64bits_update(&state, buffer + (piece - begin), stop - piece);
    }
    return XXH3_64bits_digest(&state);
}

static bool is_cancelled(const gls_writing *writing) {
    return atomic_load_explicit(&writing->cancelled, memory_order_relaxed);
}

/* Waits until as much time has passed as the bytes so far may take, or until cancelled. */
static void pace(const struct job *job) {
    const gls_writing *writing = job->writing;
    const double due = (double)atomic_load(&writing->written) / (double)writing->bytes_per_second;
    while (!is_cancelled(writing)) {
        const double left = job->begun + due - gls_seconds();
        if (left <= 0)
            return;
        const double nap = left < 0.02 ? left : 0.02;
        nanosleep(&(struct timespec){.tv_nsec = (long)(nap * 1e9)}, NULL);
    }
}

/* A file system can refuse direct transfers when they come, and not before; then to several threads at once. */
static int put(struct job *job, const char *bytes, size_t count, uint64_t offset) {
    if (gls_os_write(job->fd, bytes, count, offset) >= 0)
        return 0;
    if (errno != EINVAL || !job->began_direct)
        return errno;
    atomic_store(&job->writing->direct, false);
    if (gls_os_table->set_flags(job->fd, 0))
        return errno;
    return gls_os_write(job->fd, bytes, count, offset) >= 0 ? 0 : errno;
}

static int write_chunk(struct job *job, size_t index, char *buffer) {
    gls_writing *writing = job->writing;
    const uint64_t begin = (uint64_t)index * GLS_CHUNK, data = writing->heading.data_bytes,
                   end = data - begin < GLS_CHUNK ? data : begin + GLS_CHUNK;
    const uint64_t sum = gather(writing, begin, end, buffer);
    if (job->sums)
        job->sums[index] = sum;
    const size_t bytes = (size_t)(end - begin), tail = atomic_load(&writing->direct) ? bytes % BLOCK : 0;
    if (tail) { /* of the last chunk only, the others being whole blocks */
        memcpy(job->tail, buffer + (bytes - tail), tail);
        job->tail_bytes = tail;
    }
    const size_t most = writing->bytes_per_second ? SLICE : GLS_CHUNK;
    for (size_t at = 0; at < bytes - tail && !is_cancelled(writing);) {
        const size_t here = bytes - tail - at < most ? bytes - tail - at : most;
        const int failure = put(job, buffer + at, here, writing->heading.bytes + begin + at);
        if (failure)
            return failure;
        at += here;
        atomic_fetch_add_explicit(&writing->written, here, memory_order_relaxed);
        if (writing->bytes_per_second)
            pace(job);
    }
    return 0;
}

static void write_shard(void *context, uint32_t shard) {
    (void)shard;
    struct job *job = context;
    const size_t ticket = atomic_fetch_add(&job->tickets, 1);
    if (ticket >= job->buffer_count) /* the others have every chunk */
        return;
    char *buffer = (char *)job->buffers.base + ticket * GLS_CHUNK;
    size_t index;
    while ((index = atomic_fetch_add(&job->next, 1)) < job->chunk_count && !is_cancelled(job->writing)) {
        const int failure = write_chunk(job, index, buffer);
        int none = 0;
        if (failure) {
            atomic_compare_exchange_strong(&job->failure, &none, failure);
            return;
        }
        if (atomic_load(&job->failure))
            return;
    }
}

static glissade_status write_chunks(struct job *job, glissade_error *error) {
    gls_writing *writing = job->writing;
    glissade_engine *engine = writing->engine;
    const uint64_t data = writing->heading.data_bytes;
    job->chunk_count = (size_t)(data / GLS_CHUNK + (data % GLS_CHUNK != 0));
    if (!job->chunk_count)
        return GLISSADE_STATUS_OK;
    job->buffer_count = engine ? engine->threads.count : 1;
    if (job->buffer_count > job->chunk_count)
        job->buffer_count = job->chunk_count;
    if (!gls_arena_create(&job->buffers, job->buffer_count * GLS_CHUNK, false) ||
        (writing->heading.chunk_count && !(job->sums = gls_alloc(job->chunk_count, sizeof *job->sums))))
        return gls_error_set(error, GLISSADE_STATUS_OUT_OF_MEMORY, "%s: no memory to write it by",
                             writing->path.quoted);
    if (engine)
        gls_engine_execute_waiting(engine, data, write_shard, job);
    else
        write_shard(job, GLS_ALL_SHARDS);
    const int failure = atomic_load(&job->failure);
    return failure ? gls_path_fail(&writing->path, "write", failure, error) : GLISSADE_STATUS_OK;
}

/* ---- the file ---- */

/* Room on the disk before the first byte, where the file system can promise it. */
static int reserve(int fd, uint64_t bytes) {
    while (gls_os_table->fallocate(fd, (off_t)bytes))
        if (errno != EINTR)
            return errno == ENOSPC || errno == EDQUOT || errno == EFBIG || errno == EIO ? errno : 0;
    return 0;
}

/* What is left when all chunks are written: the last bytes, and the header, which has the chunks' checksums. */
static int write_rest(struct job *job) {
    gls_writing *writing = job->writing;
    gls_heading *heading = &writing->heading;
    if (job->began_direct && gls_os_table->set_flags(job->fd, 0))
        return errno;
    if (job->tail_bytes && gls_os_write(job->fd, job->tail, job->tail_bytes,
                                        heading->bytes + heading->data_bytes - job->tail_bytes) < 0)
        return errno;
    if (heading->header_digits)
        gls_heading_seal(heading, job->sums);
    if (gls_os_write(job->fd, heading->text, heading->bytes, 0) < 0)
        return errno;
    atomic_fetch_add(&writing->written, heading->bytes + job->tail_bytes);
    return 0;
}

static glissade_status fill(gls_writing *writing, struct job *job, glissade_error *error) {
    const uint64_t data = writing->heading.data_bytes;
    int failure = 0;
    if (gls_os_table->fchmod(job->fd, writing->options.mode))
        return gls_path_fail(&writing->path, "set its mode", errno, error);
    if ((failure = reserve(job->fd, writing->heading.bytes + data)))
        return gls_path_fail(&writing->path, "reserve room", failure, error);
    job->began_direct =
        !writing->options.omit_direct && data >= GLS_CHUNK && gls_os_table->set_flags(job->fd, O_DIRECT) == 0;
    atomic_store(&writing->direct, job->began_direct);
    job->begun = gls_seconds();
    const glissade_status status = write_chunks(job, error);
    if (status)
        return status;
    if (is_cancelled(writing))
        return gls_error_set(error, GLISSADE_STATUS_CANCELLED, "%s: the save was cancelled",
                             writing->path.quoted);
    if ((failure = write_rest(job)))
        return gls_path_fail(&writing->path, "write", failure, error);
    if (!writing->options.omit_synchronise && gls_os_table->fsync(job->fd))
        return gls_path_fail(&writing->path, "synchronise", errno, error);
    return GLISSADE_STATUS_OK;
}

/* The file's number as a second name of it, put in the place of what has that name. That stays under the name `former`,
 * if there is any, until all is done. */
static glissade_status publish_number(const gls_path *path, const gls_temporary *temporary,
                                      const char *numbered, char former[64], glissade_error *error) {
    char second[64];
    int failure = 0;
    if (gls_temporary_link(former, path, numbered)) {
        failure = errno == ENOENT ? 0 : errno;
        former[0] = '\0';
    }
    if (failure || gls_temporary_link(second, path, temporary->name))
        return gls_path_fail(path, "make a second name (keep needs a file system with hard links)",
                             failure ? failure : errno, error);
    if (gls_os_table->renameat(path->folder, second, numbered)) {
        failure = errno;
        (void)gls_os_table->unlinkat(path->folder, second);
        return gls_path_fail(path, "rename to its number", failure, error);
    }
    return GLISSADE_STATUS_OK;
}

static void withdraw_number(const gls_path *path, const char *numbered, char former[64]) {
    if (!former[0])
        (void)gls_os_table->unlinkat(path->folder, numbered);
    else if (gls_os_table->renameat(path->folder, former, numbered) == 0)
        former[0] = '\0';
}

/* Some file systems have nothing to synchronise of a folder, and say so. */
static glissade_status synchronise_folder(const gls_path *path, glissade_error *error) {
    if (gls_os_table->fsync(path->folder) && errno != EINVAL)
        return gls_path_fail(path, "it is written and whole, but synchronise its folder", errno, error);
    return GLISSADE_STATUS_OK;
}

/* Gives the file its name; with a numbered one, both. The link comes first: if a file system has none, nothing is changed
 * yet. Each rename puts a whole file in the place of a whole file. */
static glissade_status publish(gls_writing *writing, gls_temporary *temporary, const char *numbered,
                               glissade_error *error) {
    const gls_path *path = &writing->path;
    char former[64] = "";
    glissade_status status = GLISSADE_STATUS_OK;
    if (writing->options.keep)
        status = publish_number(path, temporary, numbered, former, error);
    if (!status && gls_os_table->renameat(path->folder, temporary->name, path->name)) {
        status = gls_path_fail(path, "rename", errno, error);
        if (writing->options.keep)
            withdraw_number(path, numbered, former);
    }
    if (!status) {
        temporary->name[0] = '\0';
        if (!writing->options.omit_synchronise)
            status = synchronise_folder(path, error);
    }
    if (former[0])
        (void)gls_os_table->unlinkat(path->folder, former);
    return status;
}

static glissade_status write_named(gls_writing *writing, const char *numbered, glissade_error *error) {
    struct job job = {.writing = writing};
    gls_temporary temporary = {.fd = -1};
    gls_temporary_clean(&writing->path);
    glissade_status status = gls_temporary_make(&temporary, &writing->path, error);
    job.fd = temporary.fd;
    if (!status)
        status = fill(writing, &job, error);
    if (!status)
        status = publish(writing, &temporary, numbered, error);
    gls_temporary_discard(&temporary, &writing->path);
    gls_arena_destroy(&job.buffers);
    gls_free(job.sums);
    return status;
}

glissade_status gls_writing_run(gls_writing *writing, glissade_error *error) {
    const gls_path *path = &writing->path;
    char numbered[GLS_NAME_MAX + 1] = "";
    bool exists;
    glissade_status status = gls_path_regular(path, path->name, &exists, error);
    if (!status && writing->options.keep) {
        if (!gls_keep_name(numbered, path, writing->options.number))
            return gls_path_fail(path, "add a number to its name", ENAMETOOLONG, error);
        status = gls_path_regular(path, numbered, &exists, error);
    }
    if (!status)
        status = write_named(writing, numbered, error);
    if (!status && writing->options.keep)
        gls_keep_prune(path, writing->options.keep, writing->options.number);
    return status;
}

glissade_file_report gls_writing_report(const gls_writing *writing, double begun) {
    return (glissade_file_report){
        .bytes = writing->heading.bytes + writing->heading.data_bytes,
        .chunks = writing->heading.chunk_count,
        .verified = !writing->options.omit_checksums,
        .direct = writing->direct,
        .seconds = gls_seconds() - begun,
    };
}

void gls_writing_destroy(gls_writing *writing) {
    gls_path_close(&writing->path);
    gls_heading_destroy(&writing->heading);
    gls_free(writing->sources);
    gls_free(writing->room);
    writing->sources = NULL;
    writing->room = NULL;
}
