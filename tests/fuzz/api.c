/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls on an optimizer in any order, decoded from the input: groups of every rule and format are added and removed,
 * labelled and stepped; state is saved, loaded, damaged and loaded again.
 *
 * After every call the memory around the arrays is untouched; a call that fails has changed nothing; saving changes
 * nothing; what was saved loads, and saves to the same bytes; a bit that was flipped is noticed.
 */
#include "check.h"

#include <string.h>
#include <unistd.h>

#include "damage.h"
#include "states.h"

enum { GROUPS = 3, TENSORS = 3, CALLS = 64 };

typedef struct crew {
    held tensors[TENSORS];
    size_t count;
    uint32_t group;
    bool added;
} crew;

static glissade_engine *engine;
static folder place;
static glissade_optimizer *optimizer;
static crew crews[GROUPS];

static void leave(void) {
    folder_destroy(&place);
}

static void start(void) {
    scenario_clear_environment();
    engine = scenario_engine(1);
    folder_create(&place, FOLDER_MEMORY);
    atexit(leave);
}

static void empty_folder(void) {
    char names[4096], *rest = NULL;
    snprintf(names, sizeof names, "%s", folder_names(&place));
    for (char *name = strtok_r(names, " ", &rest); name; name = strtok_r(NULL, " ", &rest))
        unlink(folder_at(&place, name));
}

/* ---- groups ---- */

static double pick_number(input *from) {
    static const double numbers[] = {0,
                                     1,
                                     0.5,
                                     0.9,
                                     0.999,
                                     1e-8,
                                     2,
                                     -1,
                                     1e30,
                                     0x1p-149,
                                     0x1p-1074,
                                     1e300,
                                     -0.0,
                                     __builtin_nan(""),
                                     __builtin_inf()};
    return numbers[input_below(from, sizeof numbers / sizeof *numbers)];
}

static rule_options pick_options(const rule *by, input *from) {
    rule_options options;
    size_t count = 0;
    const rule_field *fields = by->fields();
    rule_defaults(by, &options);
    while (fields[count].name)
        count++;
    for (uint32_t changes = input_below(from, 4); changes; changes--) {
        const rule_field *field = &fields[input_below(from, (uint32_t)count)];
        const double number = pick_number(from);
        if (field->type == RULE_DOUBLE)
            memcpy(options.bytes + field->offset, &number, sizeof number);
        else
            rule_write(field, &options, input_below(from, field->type == RULE_COUNT ? 100 : 2));
    }
    return options;
}

static void fill(void *array, glissade_dtype dtype, size_t length, uint64_t seed) {
    float values[1024];
    for (size_t i = 0; i < length; i++)
        values[i] = scenario_value(seed, 0, i);
    array_write(dtype, array, values, length);
}

static void create_tensor(held *it, bool own, input *from) {
    static const size_t lengths[] = {0, 1, 3, 12, 256, 300, 1000};
    layout formats = layout_of_form((int)input_below(from, FORMS));
    formats.state = (glissade_state_format)input_below(from, 4);
    const uint8_t flags = input_byte(from);
    held_create(it, &formats, lengths[input_below(from, 7)], flags & 3, own);
    /* Three rows; of fewer columns than four their averages would need more room than a caller's state has here. */
    it->columns = flags & 8 && it->length >= 12 && it->length % 3 == 0 ? it->length / 3 : 0;
    fill(it->parameter, formats.parameter, it->length, flags);
}

static void drop(crew *it) {
    for (size_t i = 0; i < it->count; i++)
        held_destroy(&it->tensors[i]);
    *it = (crew){.added = false};
}

static glissade_status add(input *from) {
    crew *it = &crews[input_below(from, GROUPS)];
    glissade_tensor tensors[TENSORS];
    const uint32_t which = input_below(from, (uint32_t)rules_count() + 1);
    const rule *by = which < rules_count() ? &rules_list[which] : &rule_sgd;
    if (it->added)
        return GLISSADE_STATUS_OK;
    const rule_options options = pick_options(by, from);
    /* The caller's state, averages too, or the library's, for all of the group: where a file has an array of one tensor,
     * loading makes those of the others, and what is saved then has more in it. */
    const bool own = input_byte(from) & 1;
    bool averages = own;
    it->count = 1 + input_below(from, TENSORS);
    for (size_t i = 0; i < it->count; i++) {
        create_tensor(&it->tensors[i], own, from);
        tensors[i] = held_descriptor(&it->tensors[i]);
        tensors[i].columns = it->tensors[i].columns;
        averages = averages && tensors[i].average;
    }
    for (size_t i = 0; i < it->count && !averages; i++)
        tensors[i].average = NULL;
    const glissade_status status = by->add(optimizer, tensors, it->count, &options, &it->group);
    it->added = status == GLISSADE_STATUS_OK;
    if (!it->added)
        drop(it);
    return status;
}

static glissade_status take_away(input *from) {
    crew *it = &crews[input_below(from, GROUPS)];
    if (!it->added)
        return GLISSADE_STATUS_OK;
    const glissade_status status = glissade_optimizer_remove_group(optimizer, it->group);
    CHECK(!status, "group %u", it->group);
    drop(it);
    return status;
}

static glissade_status label(input *from) {
    static const char *const names[] = {
        "a", "b", "0", "1", "a.b", "state.a", "", "__metadata__", "\xc3\xa9\n\"\\", "glissade.x"};
    const crew *it = &crews[input_below(from, GROUPS)];
    glissade_label labels[TENSORS];
    uint64_t shapes[TENSORS][2];
    char own[TENSORS][16];
    for (size_t i = 0; i < TENSORS; i++) {
        const uint32_t which = input_below(from, 12);
        const uint8_t flags = input_byte(from);
        shapes[i][0] = flags >> 4;
        shapes[i][1] = flags & 2 && shapes[i][0] ? it->tensors[i].length / shapes[i][0] : flags;
        labels[i] = (glissade_label){.size = sizeof *labels,
                                     .name = which < 10 ? names[which] : input_text(from, own[i]),
                                     .rank = flags & 3 ? 0 : flags >> 2 & 3,
                                     .shape = shapes[i]};
        labels[i].rank = labels[i].rank > 2 ? 2 : labels[i].rank;
    }
    return glissade_optimizer_set_labels(optimizer, it->group, labels, it->count);
}

/* ---- other calls ---- */

static glissade_status step(input *from) {
    glissade_step_options options;
    glissade_step_options_init(&options, sizeof options);
    const uint8_t flags = input_byte(from);
    options.zero_gradients = flags & 1;
    options.skip_nonfinite = flags & 2;
    options.clip_norm = flags & 4 ? 1 : 0;
    options.clip_value = flags & 8 ? 0.5 : 0;
    for (size_t g = 0; g < GROUPS; g++)
        for (size_t i = 0; i < crews[g].count; i++) {
            const held *it = &crews[g].tensors[i];
            fill(it->gradient, it->layout.gradient, it->length, flags + i);
        }
    return glissade_optimizer_step(optimizer, &options, NULL);
}

static glissade_status set(input *from) {
    const crew *it = &crews[input_below(from, GROUPS)];
    const glissade_tensor_ref tensor = {it->group, input_below(from, TENSORS)};
    switch (input_below(from, 8)) {
    case 0:
        return glissade_optimizer_set_average(optimizer, it->group, pick_number(from));
    case 1:
        return glissade_optimizer_set_learning_rate(optimizer, it->group, pick_number(from));
    case 2:
        return glissade_optimizer_set_counts(optimizer, tensor, input_word(from, 8), input_word(from, 8));
    case 3: {
        const double first = pick_number(from);
        return glissade_optimizer_set_numbers(optimizer, tensor, first, pick_number(from));
    }
    case 4:
        return glissade_optimizer_set_seed(optimizer, input_word(from, 8));
    case 5:
        return glissade_optimizer_set_gradient_rms(optimizer, tensor, pick_number(from));
    case 6: {
        void *gradient =
            input_byte(from) & 1 && tensor.index < it->count ? it->tensors[tensor.index].gradient : NULL;
        return glissade_optimizer_set_gradient(optimizer, tensor, gradient);
    }
    default:
        return glissade_optimizer_parameter_written(optimizer, tensor, input_byte(from) & 1);
    }
}

/* ---- files ---- */

static const char *pick_path(input *from) {
    return folder_at(&place, input_byte(from) & 1 ? "b" : "a");
}

/* Opens a file and reads all of it, with what must hold of any. */
static glissade_status read_all(const char *path, bool *checked) {
    glissade_file *file;
    glissade_error error = {0};
    glissade_file_report report = {.size = sizeof report};
    glissade_status status = glissade_file_open(path, &file, &error);
    CHECK((status == GLISSADE_STATUS_OK) == (*error.message == '\0'), "\"%s\"", error.message);
    *checked = false;
    if (status)
        return status;
    for (size_t i = 0; i < glissade_file_count(file) && !status; i++) {
        glissade_file_tensor tensor = {.size = sizeof tensor};
        CHECK(!glissade_file_get(file, i, &tensor) && glissade_file_find(file, tensor.name) == i,
              "tensor %zu", i);
        void *data = malloc(tensor.bytes + 1);
        const glissade_file_target target = {i, data};
        CHECK(data, "memory");
        status = glissade_file_read(engine, file, &target, 1, NULL, &error);
        free(data);
    }
    if (!status)
        status = glissade_file_verify(NULL, file, &report, &error);
    *checked = !status && report.verified;
    CHECK(status || report.verified == glissade_file_has_checksums(file), "verified");
    glissade_file_close(&file);
    return status;
}

static glissade_save_options pick_save(input *from, glissade_file_options *file) {
    static const glissade_file_text lines[] = {{"format", "pt"}, {"glissade.format", "1"}};
    glissade_save_options options;
    const uint8_t flags = input_byte(from);
    glissade_file_options_init(file, sizeof *file);
    glissade_save_options_init(&options, sizeof options);
    file->omit_synchronise = true;
    file->omit_checksums = flags & 1;
    file->keep = flags & 2 ? 2 : 0;
    file->number = flags & 2 ? flags >> 4 : 0;
    options.file = file;
    options.parameters = flags & 4;
    options.metadata = lines;
    options.lines = flags & 8 ? 1 + (flags >> 7) : 0;
    return options;
}

/* What was saved loads, and then saves to the same bytes. */
static void check_saved(const char *path, const glissade_save_options *options) {
    size_t counts[2];
    bool checked;
    const char *again = folder_at(&place, "again");
    CHECK(!read_all(path, &checked) && checked != options->file->omit_checksums, "%s", path);
    glissade_load_options load = states_load_options();
    load.parameters = options->parameters;
    CHECK(!glissade_optimizer_load(optimizer, path, &load, NULL), "%s",
          glissade_optimizer_message(optimizer));
    CHECK(!glissade_optimizer_save(optimizer, again, options, NULL), "%s",
          glissade_optimizer_message(optimizer));
    void *first = bytes_load(path, &counts[0]), *second = bytes_load(again, &counts[1]);
    CHECK(counts[0] == counts[1] && memcmp(first, second, counts[0]) == 0, "saved once more, it differs");
    free(first);
    free(second);
}

static glissade_status save(input *from) {
    glissade_file_options file;
    const char *path = pick_path(from);
    const glissade_save_options options = pick_save(from, &file);
    snapshot before = snapshot_take(optimizer);
    const glissade_status status = glissade_optimizer_save(optimizer, path, &options, NULL);
    snapshot after = snapshot_take(optimizer);
    CHECK(snapshot_same(&before, &after), "saving has changed something");
    snapshot_free(&before);
    snapshot_free(&after);
    if (!status)
        check_saved(path, &options);
    return status;
}

static glissade_status save_behind(input *from) {
    glissade_file_options file;
    glissade_save *it;
    const char *path = pick_path(from);
    glissade_save_options options = pick_save(from, &file);
    const uint8_t flags = input_byte(from);
    options.borrow = flags & 1;
    options.bytes_per_second = flags & 2 ? 1u << 30 : 0;
    const glissade_status status = glissade_optimizer_save_start(optimizer, path, &options, &it);
    CHECK(!status == !!it, "%d", status);
    if (!status && flags & 4)
        glissade_save_cancel(it);
    if (!status && !(flags & 8)) {
        glissade_error error;
        const glissade_status end = glissade_save_wait(it, &error);
        CHECK(!end || (flags & 4 && end == GLISSADE_STATUS_CANCELLED), "%s", error.message);
    }
    glissade_save_destroy(&it);
    return status;
}

static glissade_status load(input *from) {
    static const glissade_renaming renamings[] = {{"a", "b"}, {"0", "a"}, {"b", "0"}};
    const char *path = pick_path(from);
    glissade_load_options options = states_load_options();
    const uint8_t flags = input_byte(from);
    options.parameters = flags & 1;
    options.ignore_missing = flags & 2;
    options.ignore_extra = flags & 4;
    options.convert = flags & 8;
    options.keep_hyperparameters = flags & 16;
    options.need_checksums = flags & 32;
    options.renamings = renamings;
    options.renaming_count = flags >> 6;
    return glissade_optimizer_load(optimizer, path, &options, NULL);
}

static glissade_status damage(input *from) {
    const char *path = pick_path(from);
    bool checked;
    switch (input_below(from, 4)) {
    case 0:
        if (read_all(path, &checked) == GLISSADE_STATUS_OK && checked && damage_bit(path, from))
            CHECK(read_all(path, &checked), "a wrong bit in %s is not noticed", path);
        break;
    case 1:
        if (read_all(path, &checked) == GLISSADE_STATUS_OK && damage_length(path, from))
            CHECK(read_all(path, &checked), "a wrong length of %s is not noticed", path);
        break;
    case 2:
        damage_header(path, from);
        break;
    default:
        damage_data(path, from);
        break;
    }
    (void)read_all(path, &checked);
    return GLISSADE_STATUS_OK;
}

/* ---- all of it ---- */

static void call(input *from) {
    static glissade_status (*const calls[])(input *) = {add,  take_away, label, step,   set,        save,
                                                        load, damage,    load,  damage, save_behind};
    snapshot before = snapshot_take(optimizer);
    const glissade_status status = calls[input_below(from, sizeof calls / sizeof *calls)](from);
    if (status) {
        snapshot after = snapshot_take(optimizer);
        CHECK(snapshot_same(&before, &after), "%s: %s", glissade_status_name(status),
              glissade_optimizer_message(optimizer));
        CHECK(*glissade_optimizer_message(optimizer), "%s without a word", glissade_status_name(status));
        snapshot_free(&after);
    }
    snapshot_free(&before);
    for (size_t g = 0; g < GROUPS; g++)
        for (size_t i = 0; i < crews[g].count; i++)
            CHECK(held_intact(&crews[g].tensors[i]), "group %zu, tensor %zu", g, i);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    input from = {data, size};
    if (!engine)
        start();
    optimizer = scenario_optimizer(engine);
    const size_t descriptors = descriptors_open();
    for (int i = 0; i < CALLS && from.left; i++)
        call(&from);
    glissade_optimizer_destroy(&optimizer);
    for (size_t g = 0; g < GROUPS; g++)
        drop(&crews[g]);
    CHECK(descriptors_open() == descriptors, "descriptors");
    CHECK(folder_temporaries(&place) == 0, "%s", folder_names(&place));
    empty_folder();
    return 0;
}
