/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every struct that the calls on files take, as arbitrary bytes of arbitrary size, in memory of just that size. Only what
 * no caller can mean otherwise is made right: pointers point to something or are NULL, and a bool is one.
 *
 * A call that refuses has written no file and changed no optimizer; one that does not has written a file that is whole.
 */
#include "check.h"

#include <string.h>
#include <unistd.h>

#include "input.h"
#include "states.h"

enum { LARGEST = 4096, LINES = 4, ROOM = 1 << 16 };

static glissade_engine *engine;
static glissade_optimizer *optimizer;
static folder place;
static float parameters[2][64], gradients[2][64];
static unsigned char room[ROOM];

static void leave(void) {
    glissade_optimizer_destroy(&optimizer);
    glissade_engine_destroy(&engine);
    folder_destroy(&place);
}

/* An optimizer that has been stepped, and a file of its state, "saved". */
static void start(void) {
    glissade_adam_options adam;
    glissade_tensor tensors[2];
    uint32_t group;
    scenario_clear_environment();
    engine = scenario_engine(1);
    optimizer = scenario_optimizer(engine);
    folder_create(&place, FOLDER_MEMORY);
    atexit(leave);
    for (int i = 0; i < 2; i++) {
        glissade_tensor_init(&tensors[i], sizeof *tensors);
        tensors[i].parameter = parameters[i];
        tensors[i].gradient = gradients[i];
        tensors[i].length = 64;
        for (size_t j = 0; j < 64; j++)
            gradients[i][j] = scenario_value(i, 0, j);
    }
    glissade_adam_options_init(&adam, sizeof adam);
    CHECK(!glissade_optimizer_add_adam(optimizer, tensors, 2, &adam, &group), "add");
    scenario_step(optimizer);
    states_save(optimizer, folder_at(&place, "saved"), true);
}

/* ---- structs ---- */

/* A struct's memory, to be freed: as large as it says it is, but no more than any struct may be. */
typedef struct block {
    unsigned char *bytes; /* NULL: none is given */
    size_t size;
} block;

/* Mostly of today's size; NULL now and then. */
static block block_take(input *from, size_t known, bool may_be_null) {
    const uint8_t choice = input_byte(from);
    block it = {.size = known};
    if (choice == 255 && may_be_null)
        return (block){.bytes = NULL};
    if (choice >= 128)
        it.size = choice < 192 ? input_word(from, 2) : input_word(from, 8);
    const size_t whole = it.size < sizeof it.size ? sizeof it.size : it.size < LARGEST ? it.size : LARGEST;
    it.bytes = malloc(whole);
    CHECK(it.bytes, "memory");
    input_fill(from, it.bytes, whole < known ? whole : known);
    if (whole > known)
        memset(it.bytes + known, 0, whole - known);
    if (whole > known && choice & 1)
        it.bytes[whole - 1] = input_byte(from);
    memcpy(it.bytes, &it.size, sizeof it.size);
    return it;
}

/* Whether a field lies in the struct's memory. */
static bool holds(const block *it, size_t offset, size_t bytes) {
    return it->bytes && it->size >= offset + bytes && offset + bytes <= LARGEST;
}

static void set_bool(block *it, size_t offset) {
    if (holds(it, offset, sizeof(bool)))
        it->bytes[offset] &= 1;
}

static void set_pointer(block *it, size_t offset, const void *pointer) {
    if (holds(it, offset, sizeof pointer))
        memcpy(it->bytes + offset, &pointer, sizeof pointer);
}

/* Bounds a count, which of an array of the caller's is true. */
static void set_count(block *it, size_t offset, size_t most) {
    size_t count;
    if (!holds(it, offset, sizeof count))
        return;
    memcpy(&count, it->bytes + offset, sizeof count);
    count %= most + 1;
    memcpy(it->bytes + offset, &count, sizeof count);
}

/* Whether a struct of today's size `known` is one that must be accepted as far as its size goes. */
static bool is_size_good(const block *it, size_t known) {
    if (!it->bytes || it->size == known)
        return true;
    if (it->size < known || it->size > LARGEST)
        return false;
    for (size_t i = known; i < it->size; i++)
        if (it->bytes[i])
            return false;
    return true;
}

/* Memory for an array of structs that all have the size of the first, zeros; *stride from one to the next. */
static unsigned char *take_array(const block *first, size_t count, size_t known, size_t *stride) {
    *stride = first->size > LARGEST ? known : first->size < sizeof(size_t) ? sizeof(size_t) : first->size;
    unsigned char *array = calloc(count ? count : 1, *stride);
    CHECK(array, "memory");
    return array;
}

static block take_file_options(input *from) {
    block it = block_take(from, sizeof(glissade_file_options), true);
    set_bool(&it, offsetof(glissade_file_options, omit_checksums));
    set_bool(&it, offsetof(glissade_file_options, omit_direct));
    /* Nothing would be learnt from thousands of fsyncs. */
    if (holds(&it, offsetof(glissade_file_options, omit_synchronise), sizeof(bool)))
        it.bytes[offsetof(glissade_file_options, omit_synchronise)] = true;
    return it;
}

/* Lines of metadata. */
typedef struct texts {
    char memory[2 * LINES][16];
    glissade_file_text lines[LINES];
} texts;

static void take_texts(input *from, texts *it) {
    static const char *const keys[] = {"format", "glissade.format", "glissade.checksum.header", "", "a"};
    for (size_t i = 0; i < LINES; i++) {
        const uint32_t choice = input_below(from, 8);
        it->lines[i].key = choice < 5   ? keys[choice]
                           : choice < 7 ? input_text(from, it->memory[2 * i])
                                        : NULL;
        it->lines[i].value = input_byte(from) < 250 ? input_text(from, it->memory[2 * i + 1]) : NULL;
    }
}

/* ---- files ---- */

static void check_whole(const char *path) {
    glissade_file *file;
    glissade_error error;
    CHECK(!glissade_file_open(path, &file, &error), "%s", error.message);
    CHECK(!glissade_file_verify(NULL, file, NULL, &error), "%s", error.message);
    glissade_file_close(&file);
}

/* Empties the folder but for "saved"; whether there was anything. */
static bool clear(void) {
    char names[4096], *rest = NULL;
    bool found = false;
    snprintf(names, sizeof names, "%s", folder_names(&place));
    for (char *name = strtok_r(names, " ", &rest); name; name = strtok_r(NULL, " ", &rest))
        if (strcmp(name, "saved") != 0) {
            unlink(folder_at(&place, name));
            found = true;
        }
    return found;
}

/* A tensor to write; what can be written is inside `room`. */
static void take_tensor(input *from, glissade_file_tensor *it, uint64_t shape[4], char name[16]) {
    const uint8_t flags = input_byte(from);
    uint64_t elements = 1;
    it->name = flags & 1 ? NULL : input_text(from, name);
    it->dtype = (glissade_file_dtype)(flags & 2 ? (int)input_word(from, 4) : (int)input_below(from, 22));
    it->rank = flags & 4 ? (uint32_t)input_word(from, 4) : input_below(from, 4);
    for (int i = 0; i < 4; i++)
        shape[i] = flags & 8 ? input_word(from, 8) : input_below(from, 8);
    if (it->rank > 4 && it->rank <= GLISSADE_FILE_RANK_MAX)
        it->rank = 4;
    const uint32_t bits = glissade_file_dtype_bits(it->dtype);
    for (uint32_t i = 0; i < it->rank && i < 4; i++)
        if (__builtin_mul_overflow(elements, shape[i], &elements))
            elements = UINT64_MAX / 64;
    if (bits && elements <= UINT64_MAX / 64 && elements * bits > 8 * (uint64_t)ROOM)
        shape[0] = 0;
    it->shape = flags & 16 ? NULL : shape;
    it->data = flags & 32 ? NULL : room;
}

static void file_write(input *from) {
    enum { MOST = 3 };
    const size_t known = sizeof(glissade_file_tensor);
    texts metadata;
    block options = take_file_options(from), report = block_take(from, sizeof(glissade_file_report), true);
    block first = block_take(from, known, false);
    const size_t count = input_below(from, MOST + 1);
    size_t stride;
    unsigned char *tensors = take_array(&first, count, known, &stride);
    uint64_t shapes[MOST][4];
    char names[MOST][16];
    glissade_error error;
    for (size_t i = 0; i < count; i++) {
        glissade_file_tensor tensor = {.size = first.size};
        take_tensor(from, &tensor, shapes[i], names[i]);
        memcpy(tensors + i * stride, &tensor, stride < known ? stride : known);
    }
    take_texts(from, &metadata);
    const char *path = folder_at(&place, "written");
    const glissade_status status = glissade_file_write(
        input_byte(from) & 1 ? engine : NULL, path, (const glissade_file_tensor *)(const void *)tensors,
        count, metadata.lines, input_below(from, LINES + 1),
        (const glissade_file_options *)(const void *)options.bytes,
        (glissade_file_report *)(void *)report.bytes, &error);
    CHECK(error.status == status && (status == GLISSADE_STATUS_OK) == (*error.message == '\0'), "\"%s\"",
          error.message);
    if (status)
        CHECK(!clear(), "%s, and yet there is a file", error.message);
    else
        check_whole(path);
    CHECK(status || (is_size_good(&options, sizeof(glissade_file_options)) &&
                     is_size_good(&report, sizeof(glissade_file_report))),
          "a size of %zu or %zu", options.size, report.size);
    free(tensors);
    free(first.bytes);
    free(report.bytes);
    free(options.bytes);
}

static void file_read(input *from) {
    glissade_file *file;
    glissade_error error;
    block tensor = block_take(from, sizeof(glissade_file_tensor), true);
    block report = block_take(from, sizeof(glissade_file_report), true);
    glissade_file_target targets[4];
    const size_t count = input_below(from, 5);
    CHECK(!glissade_file_open(folder_at(&place, "saved"), &file, &error), "%s", error.message);
    for (size_t i = 0; i < 4; i++) {
        const uint8_t choice = input_byte(from);
        targets[i].index = choice == 255 ? input_word(from, 8) : choice % 8;
        targets[i].data = choice == 254 ? NULL : room + i * (ROOM / 4);
    }
    const size_t index = targets[0].index;
    const glissade_status got = glissade_file_get(file, index, (glissade_file_tensor *)(void *)tensor.bytes);
    CHECK(got || (index < glissade_file_count(file) && is_size_good(&tensor, sizeof(glissade_file_tensor))),
          "%zu", index);
    (void)glissade_file_text_at(file, index);
    const glissade_status read =
        glissade_file_read(input_byte(from) & 1 ? engine : NULL, file, targets, count,
                           (glissade_file_report *)(void *)report.bytes, &error);
    CHECK(read || is_size_good(&report, sizeof(glissade_file_report)), "a size of %zu", report.size);
    CHECK(error.status == read, "%s", error.message);
    glissade_file_close(&file);
    free(report.bytes);
    free(tensor.bytes);
}

/* ---- state ---- */

static block take_save_options(input *from, const block *file, const texts *metadata) {
    block it = block_take(from, sizeof(glissade_save_options), true);
    set_pointer(&it, offsetof(glissade_save_options, file), file->bytes);
    set_pointer(&it, offsetof(glissade_save_options, metadata),
                input_byte(from) < 250 ? metadata->lines : NULL);
    set_count(&it, offsetof(glissade_save_options, lines), LINES);
    set_bool(&it, offsetof(glissade_save_options, parameters));
    set_bool(&it, offsetof(glissade_save_options, borrow));
    set_bool(&it, offsetof(glissade_save_options, keep_copy));
    return it;
}

/* At once, or by a thread of its own; that one is cancelled, since it may have been told to take a year. */
static void save(input *from, bool behind) {
    texts metadata;
    take_texts(from, &metadata);
    block file = take_file_options(from), options = take_save_options(from, &file, &metadata);
    block report =
        block_take(from, behind ? sizeof(glissade_save_progress) : sizeof(glissade_file_report), true);
    const glissade_save_options *given = (const glissade_save_options *)(const void *)options.bytes;
    const char *path = folder_at(&place, "written");
    snapshot before = snapshot_take(optimizer);
    glissade_status status;
    if (behind) {
        glissade_save *it;
        status = glissade_optimizer_save_start(optimizer, path, given, &it);
        CHECK(!status == !!it, "%d", status);
        const glissade_status told =
            glissade_save_get_progress(it, (glissade_save_progress *)(void *)report.bytes);
        CHECK(told || is_size_good(&report, sizeof(glissade_save_progress)), "a size of %zu", report.size);
        glissade_save_cancel(it);
        if (!status && glissade_save_wait(it, NULL))
            CHECK(!clear(), "cancelled, and yet there is a file");
        glissade_save_destroy(&it);
    } else {
        status =
            glissade_optimizer_save(optimizer, path, given, (glissade_file_report *)(void *)report.bytes);
        CHECK(status || is_size_good(&report, sizeof(glissade_file_report)), "a size of %zu", report.size);
        if (!status)
            check_whole(path);
    }
    snapshot after = snapshot_take(optimizer);
    CHECK(snapshot_same(&before, &after), "saving has changed something");
    CHECK(status || is_size_good(&options, sizeof(glissade_save_options)), "a size of %zu", options.size);
    CHECK(!status || *glissade_optimizer_message(optimizer), "%s without a word",
          glissade_status_name(status));
    CHECK(!status || !clear(), "%s, and yet there is a file", glissade_optimizer_message(optimizer));
    snapshot_free(&before);
    snapshot_free(&after);
    free(report.bytes);
    free(options.bytes);
    free(file.bytes);
}

static void load(input *from) {
    static const char *const names[] = {"0", "1", "state.0", "", "a"};
    glissade_renaming renamings[LINES];
    char memory[2 * LINES][16];
    for (size_t i = 0; i < LINES; i++) {
        const uint32_t file = input_below(from, 8), tensor = input_below(from, 8);
        renamings[i].file = file < 5 ? names[file] : file < 7 ? input_text(from, memory[2 * i]) : NULL;
        renamings[i].tensor = tensor < 5   ? names[tensor]
                              : tensor < 7 ? input_text(from, memory[2 * i + 1])
                                           : NULL;
    }
    block options = block_take(from, sizeof(glissade_load_options), true);
    block report = block_take(from, sizeof(glissade_load_report), true);
    set_pointer(&options, offsetof(glissade_load_options, renamings),
                input_byte(from) < 250 ? renamings : NULL);
    set_count(&options, offsetof(glissade_load_options, renaming_count), LINES);
    for (size_t at = offsetof(glissade_load_options, parameters);
         at <= offsetof(glissade_load_options, need_checksums); at++)
        set_bool(&options, at);
    snapshot before = snapshot_take(optimizer);
    const glissade_status status = glissade_optimizer_load(
        optimizer, folder_at(&place, "saved"), (const glissade_load_options *)(const void *)options.bytes,
        (glissade_load_report *)(void *)report.bytes);
    snapshot after = snapshot_take(optimizer);
    CHECK(!status || snapshot_same(&before, &after), "%s", glissade_optimizer_message(optimizer));
    CHECK(status || (is_size_good(&options, sizeof(glissade_load_options)) &&
                     is_size_good(&report, sizeof(glissade_load_report))),
          "a size of %zu or %zu", options.size, report.size);
    snapshot_free(&before);
    snapshot_free(&after);
    free(report.bytes);
    free(options.bytes);
}

static void set_labels(input *from) {
    static const char *const names[] = {"0", "1", "state.0", "", "a"};
    const size_t known = sizeof(glissade_label);
    block first = block_take(from, known, false);
    size_t stride;
    unsigned char *labels = take_array(&first, 2, known, &stride);
    uint64_t shapes[2][4];
    char memory[2][16];
    for (size_t i = 0; i < 2; i++) {
        glissade_label label = {.size = first.size};
        const uint32_t name = input_below(from, 8);
        for (int j = 0; j < 4; j++)
            shapes[i][j] = input_byte(from) < 128 ? 8 : input_word(from, 8);
        label.name = name < 5 ? names[name] : name < 7 ? input_text(from, memory[i]) : NULL;
        label.rank = input_byte(from) < 240 ? input_below(from, 5) : 65 + (uint32_t)input_word(from, 3);
        label.shape = input_byte(from) < 250 ? shapes[i] : NULL;
        memcpy(labels + i * stride, &label, stride < known ? stride : known);
    }
    snapshot before = snapshot_take(optimizer);
    const glissade_status status =
        glissade_optimizer_set_labels(optimizer, input_below(from, 3) / 2,
                                      (const glissade_label *)(const void *)labels, 1 + input_below(from, 2));
    snapshot after = snapshot_take(optimizer);
    CHECK(snapshot_same(&before, &after), "labels have changed something");
    CHECK(!status || *glissade_optimizer_message(optimizer), "%s without a word",
          glissade_status_name(status));
    if (!status) { /* back to the names in "saved", so that loads go on to succeed */
        const glissade_label usual[2] = {{.size = known, .name = "0"}, {.size = known, .name = "1"}};
        CHECK(!glissade_optimizer_set_labels(optimizer, 0, usual, 2), "%s",
              glissade_optimizer_message(optimizer));
    }
    snapshot_free(&before);
    snapshot_free(&after);
    free(labels);
    free(first.bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    input from = {data, size};
    if (!engine)
        start();
    const uint32_t which = input_below(&from, 6);
    switch (which) {
    case 0:
        file_write(&from);
        break;
    case 1:
        file_read(&from);
        break;
    case 2:
    case 3:
        save(&from, which == 3);
        break;
    case 4:
        load(&from);
        break;
    default:
        set_labels(&from);
        break;
    }
    clear();
    return 0;
}
