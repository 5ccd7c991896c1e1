/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tensor files: safetensors, written so that a crash cannot tear them and read so that damage is noticed. Weights go
 * through the calls of this header; an optimizer's state goes through glissade/state.h, into the same kind of file.
 *
 * The layout is that of the safetensors format, exactly: 8 bytes, little-endian, the length N of the header; N bytes of
 * JSON, filled up with spaces; then the arrays, one after another without a gap, little-endian and row by row. What is
 * written here also has
 *
 *   - its arrays start at a multiple of 4,096 bytes, ordered by element size, the largest first, then by name, so that
 *     each is aligned to its element;
 *   - checksums, in the header's __metadata__, as 16 hexadecimal digits each:
 *         glissade.checksum.chunk    "4194304", the bytes of a chunk of the data; the last may be shorter
 *         glissade.checksum.data     XXH3 (64 bits, seed 0) of each chunk, one after another
 *         glissade.checksum.header   XXH3 of the 8 bytes and the N bytes, with these 16 digits as zeros.
 *     All three or none are there. Without them a file is read, and reported as not verified. A program that rewrites a
 *     file's header must drop them.
 *
 * Accepted is what the safetensors package (0.8) accepts, but not: a header that begins with anything but '{'; a name, key
 * or field twice; a name or text with a zero byte; fields that the format does not have; a __metadata__ of null, a tensor
 * written as a list, or a dtype as an object; more than GLISSADE_FILE_RANK_MAX dimensions; lines glissade.checksum.* that
 * are incomplete, unknown or wrong. Nothing in a file becomes a path, an address or a size of memory
 * before it has been checked against the file's own size.
 *
 *   Crash safety  A file is written under a temporary name in the folder it is meant for, synchronised (fsync), renamed,
 *                 and the folder synchronised. Until the rename the old file is there, whole; after it the new one. A
 *                 failed fsync is final: that file is given up. A killed writer leaves its temporary file behind, which
 *                 the next writer of the same path removes (unless a child that was forked meanwhile still has it open).
 *   Links         A path whose last component is a symbolic link is refused, read and written; and so is what is no
 *                 regular file.
 *   Threads       Calls on one glissade_file exclude one another by the caller's care; different files are independent.
 *   Engine        Where a call takes one, its team copies, checks and moves the bytes; NULL: the calling thread alone.
 *   Text          Names, keys and values are UTF-8. Those read live until the file is closed.
 */
#ifndef GLISSADE_FILE_H
#define GLISSADE_FILE_H

#include "glissade/base.h"
#include "glissade/engine.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { GLISSADE_FILE_RANK_MAX = 64 };

/* Element types; the first four are those of glissade_dtype, with the same values. */
typedef enum glissade_file_dtype {
    GLISSADE_FILE_F32 = 0,
    GLISSADE_FILE_BF16 = 1,
    GLISSADE_FILE_F16 = 2,
    GLISSADE_FILE_F64 = 3,
    GLISSADE_FILE_I8 = 4,
    GLISSADE_FILE_U8 = 5,
    GLISSADE_FILE_I16 = 6,
    GLISSADE_FILE_U16 = 7,
    GLISSADE_FILE_I32 = 8,
    GLISSADE_FILE_U32 = 9,
    GLISSADE_FILE_I64 = 10,
    GLISSADE_FILE_U64 = 11,
    GLISSADE_FILE_BOOL = 12,
    GLISSADE_FILE_F8_E4M3 = 13,
    GLISSADE_FILE_F8_E5M2 = 14,
    GLISSADE_FILE_F8_E8M0 = 15,
    GLISSADE_FILE_F6_E2M3 = 16,
    GLISSADE_FILE_F6_E3M2 = 17,
    GLISSADE_FILE_F4 = 18,
    GLISSADE_FILE_C64 = 19,
    GLISSADE_FILE_F8_E4M3FNUZ = 20,
    GLISSADE_FILE_F8_E5M2FNUZ = 21
} glissade_file_dtype;

/* "F32", "BF16", ... as the format spells them; NULL for a value that names none. */
GLISSADE_API
const char *glissade_file_dtype_name(glissade_file_dtype dtype);

/* Bits of an element; 0 for a value that names none. */
GLISSADE_API
uint32_t glissade_file_dtype_bits(glissade_file_dtype dtype);

/* A tensor, as it is written and as it is found. */
typedef struct glissade_file_tensor {
    size_t size;      /* sizeof(glissade_file_tensor) */
    const char *name; /* UTF-8, not "__metadata__" */
    glissade_file_dtype dtype;
    uint32_t rank; /* dimensions; 0: a single number */
    const uint64_t *shape;
    const void *data; /* to write: its elements. As found: NULL */
    uint64_t offset;  /* as found: of its first byte, from the file's start */
    uint64_t bytes;   /* as found */
} glissade_file_tensor;

/* A line of a file's __metadata__. Keys that begin with "glissade.checksum." cannot be written; others that begin with
 * "glissade." say what a state file holds, and belong to whoever copies one. */
typedef struct glissade_file_text {
    const char *key, *value;
} glissade_file_text;

/* ---- writing ---- */

typedef struct glissade_file_options {
    size_t size;
    /* Permissions of the file, 0600 by default; the process's umask is not applied. */
    uint32_t mode;
    /* 0, the default: write `path` alone. Otherwise write the numbered file and make `path` another name of it (a hard
     * link), and remove numbered files until `keep` remain: first those with higher numbers, which a course that was
     * given up and begun again further back leaves behind, then those with the lowest; never the one just written. */
    uint32_t keep;
    /* With keep, the number, and otherwise 0: path "run/model.safetensors" and number 7 give
     * "run/model-00000000000000000007.safetensors". */
    uint64_t number;
    bool omit_checksums; /* default false */
    /* Leave out the fsyncs: survives a kill of the process, not a loss of power; default false. */
    bool omit_synchronise;
    /* Go through the page cache, even where direct transfers are possible; default false. */
    bool omit_direct;
} glissade_file_options;

/* Writes every default into the first `size` bytes; call it with size = sizeof *options. */
GLISSADE_API
void glissade_file_options_init(glissade_file_options *options, size_t size);

typedef struct glissade_file_report {
    size_t size;     /* set by the caller to sizeof(glissade_file_report) */
    uint64_t bytes;  /* of the file, or read */
    uint64_t chunks; /* checked or made */
    bool verified;   /* the file has checksums, and those of what was read are right */
    bool direct;     /* transfers went around the page cache */
    double seconds;
} glissade_file_report;

/*
 * Writes a file. Tensors may come in any order and metadata may be NULL if there is none. options NULL: the defaults;
 * report may be NULL. Returns OK, NULL_ARGUMENT, INVALID_SIZE, INVALID_OPTION (a name, key or text that is not UTF-8,
 * empty or reserved; an unknown dtype; mode; number), TOO_LARGE, DUPLICATE_TENSOR (a name or key twice), OUT_OF_MEMORY,
 * IO (message: operation, path, cause). On failure there is no new file, and the old ones are as they were; but if
 * synchronising the folder failed, the new one may stand in its place, whole: the message says so.
 */
GLISSADE_API
glissade_status glissade_file_write(glissade_engine *engine, const char *path,
                                    const glissade_file_tensor *tensors, size_t count,
                                    const glissade_file_text *metadata, size_t lines,
                                    const glissade_file_options *options, glissade_file_report *report,
                                    glissade_error *error) GLISSADE_WARN_UNUSED_RESULT;

/* ---- reading ---- */

typedef struct glissade_file glissade_file;

/*
 * Opens a file and checks its header: lengths, names, types, shapes, ranges, and the header's checksum if it has one.
 * Returns OK, NULL_ARGUMENT, IO, INVALID_FILE, CHECKSUM, TOO_LARGE, OUT_OF_MEMORY. On failure *file is NULL.
 */
GLISSADE_API
glissade_status glissade_file_open(const char *path, glissade_file **file,
                                   glissade_error *error) GLISSADE_WARN_UNUSED_RESULT;

/* Closes the file and sets *file to NULL; NULL and a NULL handle are accepted. */
GLISSADE_API
void glissade_file_close(glissade_file **file);

/* Tensors, in the order of their data; 0 for NULL. */
GLISSADE_API
size_t glissade_file_count(const glissade_file *file);

/* Fills what is known of a tensor, as far as tensor->size goes. Returns OK, NULL_ARGUMENT, INVALID_SIZE, NOT_FOUND. */
GLISSADE_API
glissade_status glissade_file_get(const glissade_file *file, size_t index,
                                  glissade_file_tensor *tensor) GLISSADE_WARN_UNUSED_RESULT;

/* Index of the tensor of that name; SIZE_MAX if there is none. */
GLISSADE_API
size_t glissade_file_find(const glissade_file *file, const char *name);

/* Lines of metadata, ascending by key; a line's key and value ({NULL, NULL} past the end); the value of a key, NULL if
 * there is none. */
GLISSADE_API
size_t glissade_file_text_count(const glissade_file *file);
GLISSADE_API
glissade_file_text glissade_file_text_at(const glissade_file *file, size_t index);
GLISSADE_API
const char *glissade_file_text_find(const glissade_file *file, const char *key);

/* Whether the file has checksums; bytes of the file; of its header, the length field included. */
GLISSADE_API
bool glissade_file_has_checksums(const glissade_file *file);
GLISSADE_API
uint64_t glissade_file_bytes(const glissade_file *file);
GLISSADE_API
uint64_t glissade_file_header_bytes(const glissade_file *file);

/* Where a tensor is to be read to. */
typedef struct glissade_file_target {
    size_t index; /* of the tensor */
    void *data;   /* as many bytes as it has */
} glissade_file_target;

/*
 * Reads tensors. Every chunk that holds any of them is read and checked before the first byte is written to a target.
 * Takes as much memory again as is read. Returns OK, NULL_ARGUMENT, INVALID_SIZE, NOT_FOUND, OUT_OF_MEMORY, IO,
 * INVALID_FILE (it has become shorter), CHECKSUM; the targets are then as they were.
 */
GLISSADE_API
glissade_status glissade_file_read(glissade_engine *engine, glissade_file *file,
                                   const glissade_file_target *targets, size_t count,
                                   glissade_file_report *report,
                                   glissade_error *error) GLISSADE_WARN_UNUSED_RESULT;

/* Reads and checks the whole file; report->verified is false if there was nothing to check by. Returns as
 * glissade_file_read. */
GLISSADE_API
glissade_status glissade_file_verify(glissade_engine *engine, glissade_file *file,
                                     glissade_file_report *report,
                                     glissade_error *error) GLISSADE_WARN_UNUSED_RESULT;

#ifdef __cplusplus
}
#endif

#endif
