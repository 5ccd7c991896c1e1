/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a tensor file's data (see read.h). Threads take chunk after chunk, piece by piece: read a piece into a buffer,
 * hash it while it is in the cache, and copy what is wanted of it to where it belongs. What the page cache does not hold
 * is read around it, which on the disks measured is three times as fast; what it holds is read from it.
 */
#include "read.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>

#define XXH_STATIC_LINKING_ONLY /* for a state that needs no allocation */
#include <xxhash.h>

#include "clock.h"
#include "engine.h"
#include "os.h"
#include "plan.h"
#include "sort.h"

enum {
    PIECE = 1024 * 1024,            /* read, hashed and copied at once from the page cache, */
    DIRECT_PIECE = 4 * 1024 * 1024, /* and from the disk, which small requests leave idle in between */
    BLOCK = 4096,                   /* what a direct transfer is a multiple of */
    LINE = 64,                      /* what is staged starts at multiples of */
    PROBES = 4                      /* places where the page cache is asked whether it has the file */
};

typedef enum outcome { READ, FAILED, CUT_SHORT, DIFFERS } outcome;

/* What went wrong, and where in the file. */
typedef struct fault {
    outcome became;
    uint64_t offset;
    int error_number;         /* FAILED */
    uint64_t found, expected; /* DIFFERS: checksums */
} fault;

struct job {
    const glissade_file *file;
    const gls_extent **wanted; /* ascending; NULL: every chunk is read, and nothing is kept */
    size_t wanted_count;
    gls_arena buffers; /* a piece for each shard */
    uint64_t chunk_bytes;
    size_t chunk_count;
    bool began_direct;
    _Atomic size_t next;
    _Atomic uint64_t bytes, chunks; /* read so far */
    atomic_bool direct;
    atomic_bool stopped;
    fault first; /* of the first that stopped */
};

/* ---- chunks ---- */

/* A file system can refuse direct transfers when they come, and not before; then to several threads at once. */
static ssize_t get(struct job *job, char *bytes, size_t count, uint64_t offset) {
    const int fd = job->file->fd;
    const ssize_t got = gls_os_read(fd, bytes, count, offset);
    if (got >= 0 || errno != EINVAL || !job->began_direct)
        return got;
    atomic_store(&job->direct, false);
    if (gls_os_table->set_flags(fd, 0))
        return -1;
    return gls_os_read(fd, bytes, count, offset);
}

/* A direct transfer wants whole blocks, of which the file's last may end after the file. */
static fault read_piece(struct job *job, char *bytes, size_t count, uint64_t offset) {
    const size_t asked = atomic_load(&job->direct) ? (count + BLOCK - 1) / BLOCK * BLOCK : count;
    const ssize_t got = get(job, bytes, asked, offset);
    if (got < 0)
        return (fault){.became = FAILED, .offset = offset, .error_number = errno};
    if ((size_t)got < count)
        return (fault){.became = CUT_SHORT, .offset = offset + (uint64_t)got};
    return (fault){.became = READ};
}

/* The first of the wanted extents that ends after a byte. */
static size_t wanted_after(const struct job *job, uint64_t byte) {
    size_t low = 0, high = job->wanted_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (job->wanted[middle]->end > byte)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static bool is_wanted(const struct job *job, uint64_t begin, uint64_t end) {
    const size_t i = wanted_after(job, begin);
    return !job->wanted || (i < job->wanted_count && job->wanted[i]->begin < end);
}

/* Copies what is wanted of bytes that begin at `begin`. */
static void deliver(const struct job *job, const char *bytes, uint64_t begin, uint64_t end) {
    for (size_t i = wanted_after(job, begin); i < job->wanted_count && job->wanted[i]->begin < end; i++) {
        const gls_extent *extent = job->wanted[i];
        const uint64_t from = extent->begin > begin ? extent->begin : begin,
                       to = extent->end < end ? extent->end : end;
        memcpy((char *)extent->to + (from - extent->begin), bytes + (from - begin), (size_t)(to - from));
    }
}

/* Where bytes that are all of one extent go; NULL if they are not, if the extent is wanted twice, or if they must be read
 * to a buffer's addresses. */
static char *place_of(const struct job *job, uint64_t begin, uint64_t end) {
    const size_t i = wanted_after(job, begin);
    const bool covered =
        i < job->wanted_count && job->wanted[i]->begin <= begin && job->wanted[i]->end >= end;
    const bool alone = i + 1 >= job->wanted_count || job->wanted[i + 1]->begin >= end;
    return covered && alone && !atomic_load(&job->direct)
               ? (char *)job->wanted[i]->to + (begin - job->wanted[i]->begin)
               : NULL;
}

static fault read_chunk(struct job *job, size_t chunk, char *buffer) {
    const gls_header *header = &job->file->header;
    const uint64_t begin = chunk * job->chunk_bytes, left = header->data_bytes - begin,
                   end = begin + (left < job->chunk_bytes ? left : job->chunk_bytes);
    XXH3_state_t state;
    XXH3_64bits_reset(&state);
    const uint64_t most = atomic_load(&job->direct) ? DIRECT_PIECE : PIECE;
    for (uint64_t at = begin; at < end; at += most) {
        const size_t here = (size_t)(end - at < most ? end - at : most);
        char *place = place_of(job, at, at + here), *piece = place ? place : buffer;
        const fault wrong = read_piece(job, piece, here, header->data_begin + at);
        if (wrong.became != READ)
            return wrong;
        if (header->chunk_count)
            XXH3_64bits_update(&state, piece, here);
        if (!place)
            deliver(job, buffer, at, at + here);
    }
    atomic_fetch_add_explicit(&job->bytes, end - begin, memory_order_relaxed);
    atomic_fetch_add_explicit(&job->chunks, 1, memory_order_relaxed);
    const uint64_t found = XXH3_64bits_digest(&state);
    if (header->chunk_count && found != header->chunks[chunk])
        return (fault){.became = DIFFERS,
                       .offset = header->data_begin + begin,
                       .found = found,
                       .expected = header->chunks[chunk]};
    return (fault){.became = READ};
}

static void read_shard(void *context, uint32_t shard) {
    struct job *job = context;
    char *buffer = (char *)job->buffers.base + (shard == GLS_ALL_SHARDS ? 0 : shard) * (size_t)DIRECT_PIECE;
    size_t chunk;
    while ((chunk = atomic_fetch_add(&job->next, 1)) < job->chunk_count && !atomic_load(&job->stopped)) {
        const uint64_t begin = chunk * job->chunk_bytes;
        if (!is_wanted(job, begin, begin + job->chunk_bytes))
            continue;
        const fault wrong = read_chunk(job, chunk, buffer);
        if (wrong.became != READ) {
            if (!atomic_exchange(&job->stopped, true))
                job->first = wrong;
            return;
        }
    }
}

static glissade_status tell(const struct job *job, glissade_error *error) {
    const fault *first = &job->first;
    const char *name = job->file->quoted;
    char room[96];
    switch (first->became) {
    case FAILED:
        return gls_error_set(error, GLISSADE_STATUS_IO, "%s: read at offset %" PRIu64 ": %s (%d)", name,
                             first->offset, strerror_r(first->error_number, room, sizeof room),
                             first->error_number);
    case CUT_SHORT:
        return gls_error_set(error, GLISSADE_STATUS_INVALID_FILE,
                             "%s: it ends at offset %" PRIu64 "; it had %" PRIu64 " bytes when it was opened",
                             name, first->offset, job->file->bytes);
    case DIFFERS:
        return gls_error_set(error, GLISSADE_STATUS_CHECKSUM,
                             "%s: the chunk at offset %" PRIu64 " has the checksum %016" PRIx64
                             "; expected %016" PRIx64 ": the file is damaged",
                             name, first->offset, first->found, first->expected);
    default:
        return GLISSADE_STATUS_OK;
    }
}

/* ---- jobs ---- */

/* Whether the page cache holds the file, by a look at some of its blocks. */
static bool is_cached(const glissade_file *file) {
    char block[BLOCK];
    for (uint64_t i = 0; i < PROBES; i++) {
        const uint64_t offset = file->header.data_begin + file->header.data_bytes / PROBES * i;
        if (gls_os_table->pread_cached(file->fd, block, sizeof block, (off_t)offset) <= 0)
            return false;
    }
    return true;
}

/* Runs the job on the team, around the page cache if that is worth while. */
static glissade_status run(struct job *job, glissade_engine *engine, uint64_t bytes,
                           glissade_file_report *report, glissade_error *error) {
    const glissade_file *file = job->file;
    const gls_header *header = &file->header;
    if (!gls_arena_create(&job->buffers, (engine ? engine->threads.count : 1) * (size_t)DIRECT_PIECE, false))
        return gls_error_set(error, GLISSADE_STATUS_OUT_OF_MEMORY, "%s: no memory to read it by",
                             file->quoted);
    const double begun = gls_seconds();
    job->began_direct = bytes >= GLS_CHUNK && header->data_begin % BLOCK == 0 && !is_cached(file) &&
                        gls_os_table->set_flags(file->fd, O_DIRECT) == 0;
    atomic_store(&job->direct, job->began_direct);
    if (engine)
        gls_engine_execute_waiting(engine, bytes, read_shard, job);
    else
        read_shard(job, GLS_ALL_SHARDS);
    if (job->began_direct)
        (void)gls_os_table->set_flags(file->fd, 0);
    const double ended = gls_seconds();
    gls_arena_destroy(&job->buffers);
    report->bytes = atomic_load(&job->bytes);
    report->chunks = header->chunk_bytes ? atomic_load(&job->chunks) : 0;
    report->verified = header->chunk_bytes && !atomic_load(&job->stopped);
    report->direct = atomic_load(&job->direct);
    report->seconds = ended - begun;
    return tell(job, error);
}

static struct job make_job(const glissade_file *file) {
    const uint64_t data = file->header.data_bytes,
                   chunk = file->header.chunk_bytes ? file->header.chunk_bytes : GLS_CHUNK;
    return (struct job){
        .file = file, .chunk_bytes = chunk, .chunk_count = (size_t)(data / chunk + (data % chunk != 0))};
}

glissade_status gls_file_check(glissade_engine *engine, const glissade_file *file,
                               glissade_file_report *report, glissade_error *error) {
    struct job job = make_job(file);
    return run(&job, engine, file->header.data_bytes, report, error);
}

/* ---- staging ---- */

static bool is_before(const void *a, const void *b, const void *context) {
    (void)context;
    return (*(const gls_extent *const *)a)->begin < (*(const gls_extent *const *)b)->begin;
}

static uint64_t bytes_of(const gls_extent *extents, size_t count, bool homeless) {
    uint64_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        if (!homeless || !extents[i].to)
            bytes += (extents[i].end - extents[i].begin + LINE - 1) / LINE * LINE;
    return bytes;
}

/* Gives a place in the arena to the extents that have none, or takes it away again. */
static void house(gls_extent *extents, size_t count, const gls_arena *arena) {
    size_t next = 0;
    for (size_t i = 0; i < count; i++)
        if (!extents[i].to && extents[i].begin < extents[i].end) {
            extents[i].to = (char *)arena->base + next;
            next += (extents[i].end - extents[i].begin + LINE - 1) / LINE * LINE;
        }
}

static void evict(gls_extent *extents, size_t count, const gls_arena *arena) {
    const char *base = arena->base;
    for (size_t i = 0; i < count; i++)
        if (base && (char *)extents[i].to >= base && (char *)extents[i].to < base + arena->bytes)
            extents[i].to = NULL;
}

glissade_status gls_file_stage(glissade_engine *engine, const glissade_file *file, gls_extent *extents,
                               size_t count, gls_arena *arena, glissade_file_report *report,
                               glissade_error *error) {
    struct job job = make_job(file);
    const uint64_t homeless = bytes_of(extents, count, true);
    *arena = (gls_arena){0};
    job.wanted = gls_alloc(count, sizeof *job.wanted);
    if (!job.wanted ||
        !gls_arena_create(arena, (size_t)homeless, engine && gls_engine_setting(engine, GLS_HUGEPAGES))) {
        gls_free(job.wanted);
        return gls_error_set(error, GLISSADE_STATUS_OUT_OF_MEMORY,
                             "%s: no memory to hold %" PRIu64 " bytes until they are checked", file->quoted,
                             homeless);
    }
    house(extents, count, arena);
    for (size_t i = 0; i < count; i++)
        if (extents[i].begin < extents[i].end)
            job.wanted[job.wanted_count++] = &extents[i];
    gls_sort(job.wanted, job.wanted_count, sizeof *job.wanted, is_before, NULL);
    const glissade_status status = run(&job, engine, bytes_of(extents, count, false), report, error);
    gls_free(job.wanted);
    if (status) {
        evict(extents, count, arena);
        gls_arena_destroy(arena);
    }
    return status;
}
