/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls with missing or unfit structs and pointers, engines that cannot be, objects used from two threads or
 * out of order: each gets its documented status and a message that names the thing, and changes nothing.
 * What is wrong about tensors is in misuse_tensors.c, about numbers in misuse_values.c.
 */
#include "misuse.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

MISUSE_SUITE(misuse);

#define STATUS(call, expected) cr_assert_eq(call, GLISSADE_STATUS_##expected, "%s", #call)

/* ---- NULL ---- */

Test(misuse, null_where_an_object_is_needed) {
    glissade_engine *engine;
    glissade_optimizer *optimizer = (glissade_optimizer *)&engine;
    glissade_arrays *arrays = (glissade_arrays *)&engine;
    glissade_error error;
    const size_t length = 4;
    const glissade_tensor_ref ref = {0, 0};
    STATUS(glissade_engine_create(NULL, NULL, &error), NULL_ARGUMENT);
    cr_assert(error.status == GLISSADE_STATUS_NULL_ARGUMENT && strstr(error.message, "engine"));
    STATUS(glissade_engine_create(NULL, NULL, NULL), NULL_ARGUMENT);
    STATUS(glissade_optimizer_create(NULL, &optimizer, &error), NULL_ARGUMENT);
    cr_assert(error.status == GLISSADE_STATUS_NULL_ARGUMENT && strstr(error.message, "engine"));
    cr_assert_null(optimizer, "a failed creation must leave NULL");
    STATUS(glissade_optimizer_create(it.engine, NULL, &error), NULL_ARGUMENT);
    cr_assert(strstr(error.message, "optimizer"));
    STATUS(glissade_arrays_create(NULL, &length, 1, &arrays, &error), NULL_ARGUMENT);
    cr_assert_null(arrays);
    cr_assert_eq(error.status, GLISSADE_STATUS_NULL_ARGUMENT);
    STATUS(glissade_optimizer_remove_group(NULL, 0), NULL_ARGUMENT);
    STATUS(glissade_optimizer_set_gradient(NULL, ref, NULL), NULL_ARGUMENT);
    STATUS(glissade_optimizer_set_gradients(NULL, 0, NULL, 0), NULL_ARGUMENT);
    STATUS(glissade_optimizer_set_parameter(NULL, ref, NULL), NULL_ARGUMENT);
    STATUS(glissade_optimizer_set_learning_rate(NULL, 0, 1), NULL_ARGUMENT);
    STATUS(glissade_optimizer_get_tensor(NULL, ref, NULL), NULL_ARGUMENT);
    STATUS(glissade_optimizer_set_counts(NULL, ref, 0, 0), NULL_ARGUMENT);
    STATUS(glissade_optimizer_set_gradient_rms(NULL, ref, 0), NULL_ARGUMENT);
    STATUS(glissade_optimizer_step(NULL, NULL, NULL), NULL_ARGUMENT);
    STATUS(glissade_optimizer_zero_gradients(NULL), NULL_ARGUMENT);
    STATUS(glissade_optimizer_read(NULL, NULL, NULL), NULL_ARGUMENT);
    STATUS(glissade_optimizer_get_placement(NULL, NULL), NULL_ARGUMENT);
    STATUS(glissade_optimizer_add_sgd(NULL, NULL, 0, NULL, NULL), NULL_ARGUMENT);
    STATUS(glissade_optimizer_set_sgd(NULL, 0, NULL), NULL_ARGUMENT);
    STATUS(glissade_optimizer_get_sgd(NULL, 0, NULL), NULL_ARGUMENT);
    cr_assert_str_eq(glissade_optimizer_message(NULL), "");
}

Test(misuse, null_where_room_is_needed) {
    const size_t length = 4;
    const glissade_tensor_ref ref = {0, 0};
    const float scratch[4] = {0};
    glissade_tensor tensor = {.size = sizeof tensor, .parameter = (void *)(uintptr_t)scratch, .length = 4};
    uint32_t group;
    glissade_step_options options;
    glissade_arrays *arrays;
    REFUSED(glissade_optimizer_get_tensor(it.optimizer, ref, NULL), NULL_ARGUMENT, "info");
    REFUSED(glissade_optimizer_set_gradients(it.optimizer, 0, NULL, 7), NULL_ARGUMENT, "gradients");
    REFUSED(glissade_optimizer_set_parameter(it.optimizer, ref, NULL), NULL_ARGUMENT, "parameter");
    REFUSED(glissade_optimizer_read(it.optimizer, NULL, NULL), NULL_ARGUMENT, "digest");
    REFUSED(glissade_optimizer_get_placement(it.optimizer, NULL), NULL_ARGUMENT, "report");
    REFUSED(glissade_optimizer_add_sgd(it.optimizer, NULL, 1, &it.first_rule, &group), NULL_ARGUMENT,
            "tensors");
    REFUSED(glissade_optimizer_add_sgd(it.optimizer, &tensor, 1, NULL, &group), NULL_ARGUMENT, "options");
    REFUSED(glissade_optimizer_add_sgd(it.optimizer, &tensor, 1, &it.first_rule, NULL), NULL_ARGUMENT,
            "group");
    REFUSED(glissade_optimizer_set_sgd(it.optimizer, 0, NULL), NULL_ARGUMENT, "options");
    REFUSED(glissade_optimizer_get_sgd(it.optimizer, 0, NULL), NULL_ARGUMENT, "options");
    REFUSED(glissade_arrays_create(it.optimizer, NULL, 1, &arrays, NULL), NULL_ARGUMENT, "lengths");
    REFUSED(glissade_arrays_create(it.optimizer, &length, 1, NULL, NULL), NULL_ARGUMENT, "arrays");
    glissade_step_options_init(&options, sizeof options);
    options.tensor_count = 3;
    REFUSED(glissade_optimizer_step(it.optimizer, &options, NULL), NULL_ARGUMENT, "tensor_count 3");
    tensor.parameter = NULL;
    REFUSED(glissade_optimizer_add_sgd(it.optimizer, &tensor, 1, &it.first_rule, &group), NULL_ARGUMENT,
            "parameter of tensor 0");
}

Test(misuse, null_in_inspection) {
    glissade_engine_info info = {.size = sizeof info};
    glissade_pu_info pu = {.size = sizeof pu};
    glissade_variable_info variable = {.size = sizeof variable};
    const char *value;
    glissade_origin origin;
    STATUS(glissade_engine_get_info(NULL, &info), NULL_ARGUMENT);
    STATUS(glissade_engine_get_info(it.engine, NULL), NULL_ARGUMENT);
    STATUS(glissade_engine_get_pu(NULL, 0, &pu), NULL_ARGUMENT);
    STATUS(glissade_engine_get_pu(it.engine, 0, NULL), NULL_ARGUMENT);
    STATUS(glissade_engine_get_pu(it.engine, UINT32_MAX, &pu), NOT_FOUND);
    STATUS(glissade_variable_get(0, NULL), NULL_ARGUMENT);
    STATUS(glissade_variable_get(glissade_variable_count(), &variable), NOT_FOUND);
    STATUS(glissade_engine_get_setting(NULL, 0, &value, &origin), NULL_ARGUMENT);
    STATUS(glissade_engine_get_setting(it.engine, 0, NULL, &origin), NULL_ARGUMENT);
    STATUS(glissade_engine_get_setting(it.engine, 0, &value, NULL), NULL_ARGUMENT);
    STATUS(glissade_engine_get_setting(it.engine, glissade_variable_count(), &value, &origin), NOT_FOUND);
    STATUS(glissade_engine_get_info(it.engine, &info), OK);
    STATUS(glissade_engine_get_pu(it.engine, info.pus - 1, &pu), OK);
    STATUS(glissade_engine_get_pu(it.engine, info.pus, &pu), NOT_FOUND);
}

Test(misuse, destroying_nothing) {
    glissade_engine *engine = NULL;
    glissade_optimizer *optimizer = NULL;
    glissade_engine_destroy(NULL);
    glissade_engine_destroy(&engine);
    glissade_optimizer_destroy(NULL);
    glissade_optimizer_destroy(&optimizer);
    glissade_engine_options_init(NULL, 100);
    glissade_sgd_options_init(NULL, 100);
    glissade_step_options_init(NULL, 100);
    glissade_tensor_init(NULL, 100);
}

/* ---- struct sizes ---- */

/* A struct with 16 bytes behind it that this version knows nothing of. */
#define LONGER(type)                                                                                         \
    union {                                                                                                  \
        type known;                                                                                          \
        unsigned char bytes[sizeof(type) + 16];                                                              \
    }

/* Calls with every unfit size: nothing, too small by one, what an uninitialised field holds, and larger with
 * something in the unknown part. */
#define REFUSES_SIZES(type, object, call, check)                                                             \
    do {                                                                                                     \
        (object)->known.size = 0;                                                                            \
        check(call, INVALID_SIZE, #type);                                                                    \
        (object)->known.size = sizeof(type) - 1;                                                             \
        check(call, INVALID_SIZE, #type);                                                                    \
        (object)->known.size = sizeof(size_t);                                                               \
        check(call, INVALID_SIZE, #type);                                                                    \
        (object)->known.size = 4097; /* nothing was written there: it must not be read or filled */          \
        check(call, INVALID_SIZE, #type);                                                                    \
        (object)->known.size = SIZE_MAX;                                                                     \
        check(call, INVALID_SIZE, #type);                                                                    \
    } while (0)
#define REFUSES_TAIL(type, object, call, check)                                                              \
    do {                                                                                                     \
        (object)->known.size = sizeof *(object);                                                             \
        (object)->bytes[sizeof *(object)-1] = 1;                                                             \
        check(call, INVALID_SIZE, #type);                                                                    \
        (object)->bytes[sizeof *(object)-1] = 0;                                                             \
    } while (0)
#define STATUS_ONLY(call, expected, names) STATUS(call, expected)

static glissade_status create_engine(const glissade_engine_options *options, const char *names) {
    glissade_engine *engine = (glissade_engine *)&it;
    glissade_error error;
    const glissade_status status = glissade_engine_create(options, &engine, &error);
    cr_assert_eq(error.status, status);
    cr_assert_eq(engine == NULL, status != GLISSADE_STATUS_OK, "a failed creation must leave NULL");
    cr_assert(strstr(error.message, names), "the message \"%s\" does not name %s", error.message, names);
    glissade_engine_destroy(&engine);
    return status;
}

Test(misuse, structs_of_options) {
    LONGER(glissade_engine_options) engine;
    LONGER(glissade_step_options) step;
    LONGER(glissade_sgd_options) sgd;
    glissade_engine_options_init(&engine.known, sizeof engine);
    cr_assert_eq(engine.known.size, sizeof engine, "an initialiser records the size that it was given");
    STATUS(create_engine(&engine.known, ""), OK);
    REFUSES_SIZES(glissade_engine_options, &engine, create_engine(&engine.known, "glissade_engine_options"),
                  STATUS_ONLY);
    REFUSES_TAIL(glissade_engine_options, &engine, create_engine(&engine.known, "glissade_engine_options"),
                 STATUS_ONLY);

    glissade_step_options_init(&step.known, sizeof step);
    REFUSES_SIZES(glissade_step_options, &step, glissade_optimizer_step(it.optimizer, &step.known, NULL),
                  REFUSED);
    REFUSES_TAIL(glissade_step_options, &step, glissade_optimizer_step(it.optimizer, &step.known, NULL),
                 REFUSED);
    glissade_sgd_options_init(&sgd.known, sizeof sgd);
    REFUSES_SIZES(glissade_sgd_options, &sgd, glissade_optimizer_set_sgd(it.optimizer, 0, &sgd.known),
                  REFUSED);
    REFUSES_TAIL(glissade_sgd_options, &sgd, glissade_optimizer_set_sgd(it.optimizer, 0, &sgd.known),
                 REFUSED);
    uint32_t group;
    sgd.known.size = 1;
    REFUSED(glissade_optimizer_add_sgd(it.optimizer, NULL, 1, &sgd.known, &group), INVALID_SIZE,
            "glissade_sgd_options");

    /* Larger structs whose unknown part is zero are read as if they were today's. */
    memcpy(&sgd.known, &it.first_rule, sizeof it.first_rule);
    sgd.known.size = sizeof sgd;
    STATUS(glissade_optimizer_set_sgd(it.optimizer, 0, &sgd.known), OK);
    step.known.size = sizeof step;
    step.known.tensors = (const glissade_tensor_ref *)&step;
    STATUS(glissade_optimizer_step(it.optimizer, &step.known, NULL), OK);
}

Test(misuse, structs_that_are_filled) {
    LONGER(glissade_engine_info) engine;
    LONGER(glissade_pu_info) pu;
    LONGER(glissade_variable_info) variable;
    LONGER(glissade_tensor_info) tensor;
    LONGER(glissade_step_report) report;
    LONGER(glissade_placement_report) placement;
    LONGER(glissade_sgd_options) sgd;
    const glissade_tensor_ref ref = {0, 0};
    uint32_t digest = 77;
    REFUSES_SIZES(glissade_engine_info, &engine, glissade_engine_get_info(it.engine, &engine.known),
                  STATUS_ONLY);
    REFUSES_SIZES(glissade_pu_info, &pu, glissade_engine_get_pu(it.engine, 0, &pu.known), STATUS_ONLY);
    REFUSES_SIZES(glissade_variable_info, &variable, glissade_variable_get(0, &variable.known), STATUS_ONLY);
    REFUSES_SIZES(glissade_tensor_info, &tensor,
                  glissade_optimizer_get_tensor(it.optimizer, ref, &tensor.known), REFUSED);
    REFUSES_SIZES(glissade_step_report, &report, glissade_optimizer_step(it.optimizer, NULL, &report.known),
                  REFUSED);
    REFUSES_SIZES(glissade_step_report, &report,
                  glissade_optimizer_read(it.optimizer, &digest, &report.known), REFUSED);
    cr_assert_eq(digest, 77);
    REFUSES_SIZES(glissade_sgd_options, &sgd, glissade_optimizer_get_sgd(it.optimizer, 0, &sgd.known),
                  REFUSED);
    placement.known.size = 1;
    const glissade_status status = glissade_optimizer_get_placement(it.optimizer, &placement.known);
    cr_assert(status == GLISSADE_STATUS_INVALID_SIZE || status == GLISSADE_STATUS_UNSUPPORTED);

    /* A larger one is filled, and what is not known is zero. */
    memset(&tensor, 0xEE, sizeof tensor);
    tensor.known.size = sizeof tensor;
    STATUS(glissade_optimizer_get_tensor(it.optimizer, ref, &tensor.known), OK);
    cr_assert_eq(tensor.known.size, sizeof tensor);
    cr_assert_eq(tensor.known.parameter, it.first.p[0]);
    for (size_t i = sizeof tensor.known; i < sizeof tensor; i++)
        cr_assert_eq(tensor.bytes[i], 0);
}

/* ---- two threads ---- */

typedef struct meddling {
    glissade_status statuses[16];
    size_t count;
    int calls;
} meddling;

/* Every call, from a thread that is not the one inside. */
static void *meddle(void *argument) {
    meddling *result = argument;
    const glissade_tensor_ref ref = {0, 0};
    const size_t length = 4;
    uint32_t number;
    glissade_tensor_info info = {.size = sizeof info};
    glissade_placement_report placement = {.size = sizeof placement};
    glissade_sgd_options rule = scenario_rule(0);
    glissade_arrays *arrays;
    void *none[7] = {0};
    const glissade_tensor tensor = {.size = sizeof tensor, .parameter = it.second_twin.p[0], .length = 1};
    const glissade_status statuses[] = {
        glissade_optimizer_step(it.optimizer, NULL, NULL),
        glissade_optimizer_remove_group(it.optimizer, 0),
        glissade_optimizer_set_gradient(it.optimizer, ref, NULL),
        glissade_optimizer_set_gradients(it.optimizer, 0, none, 7),
        glissade_optimizer_set_parameter(it.optimizer, ref, it.second_twin.p[0]),
        glissade_optimizer_set_learning_rate(it.optimizer, 0, 99),
        glissade_optimizer_get_tensor(it.optimizer, ref, &info),
        glissade_optimizer_set_counts(it.optimizer, ref, 9, 9),
        glissade_optimizer_set_gradient_rms(it.optimizer, ref, 0),
        glissade_optimizer_zero_gradients(it.optimizer),
        glissade_optimizer_read(it.optimizer, &number, NULL),
        glissade_optimizer_get_placement(it.optimizer, &placement),
        glissade_optimizer_add_sgd(it.optimizer, &tensor, 1, &rule, &number),
        glissade_optimizer_set_sgd(it.optimizer, 0, &rule),
        glissade_optimizer_get_sgd(it.optimizer, 0, &rule),
        glissade_arrays_create(it.optimizer, &length, 1, &arrays, NULL),
    };
    memcpy(result->statuses, statuses, sizeof statuses);
    result->count = sizeof statuses / sizeof *statuses;
    return NULL;
}

/* Runs inside the step, after its work: another thread tries everything meanwhile. */
static void meddle_while_inside(void *user, uint32_t level, const char *message) {
    meddling *result = user;
    pthread_t thread;
    if (level != 3 || !message || result->calls++)
        return;
    REQUIRE(!pthread_create(&thread, NULL, meddle, result), "no thread");
    pthread_join(thread, NULL);
}

Test(misuse, two_threads_in_one_optimizer) {
    glissade_engine_options options;
    glissade_engine *engine;
    glissade_error error;
    static meddling result = {.calls =
                                  1}; /* not in the steps of the past; static, for the teardown steps, too */
    glissade_engine_options_init(&options, sizeof options);
    options.threads = 2;
    options.oversubscribe = true;
    options.verbose = 3;
    options.log = meddle_while_inside;
    options.log_user = &result;
    cr_assert_eq(glissade_engine_create(&options, &engine, &error), GLISSADE_STATUS_OK, "%s", error.message);
    subject_destroy(&it);
    subject_create(&it, engine);
    result.calls = 0;
    const char *change = subject_step(&it);
    cr_assert_eq(result.calls, 1, "the log function was not called");
    cr_assert_eq(result.count, 16);
    for (size_t i = 0; i < result.count; i++)
        cr_assert_eq(result.statuses[i], GLISSADE_STATUS_BUSY, "call %zu: %s", i,
                     glissade_status_name(result.statuses[i]));
    cr_assert_null(change, "%s", change);
    cr_assert_str_eq(glissade_optimizer_message(it.optimizer), "", "BUSY leaves the message alone");
}

/* ---- engines ---- */

Test(misuse, engine_destroyed_before_its_optimizers) {
    glissade_engine_destroy(&it.engine);
    cr_assert_null(it.engine);
    const char *change = subject_step(&it);
    cr_assert_null(change, "%s", change);
}

static glissade_status create_with(void (*change)(glissade_engine_options *options, uint32_t value),
                                   uint32_t value, const char *names) {
    glissade_engine_options options;
    glissade_engine_options_init(&options, sizeof options);
    change(&options, value);
    return create_engine(&options, names);
}

#define SETTER(field, type)                                                                                  \
    static void set_##field(glissade_engine_options *options, uint32_t value) {                              \
        options->field = (type)value;                                                                        \
    }
SETTER(threads, uint32_t)
SETTER(isa, glissade_isa)
SETTER(pin, glissade_pin)
SETTER(tile, uint32_t)
SETTER(streams, uint32_t)
SETTER(huge_pages, uint32_t)
SETTER(keep_subnormals, uint32_t)
SETTER(verbose, uint32_t)

static void set_oversubscribed(glissade_engine_options *options, uint32_t value) {
    options->threads = value;
    options->oversubscribe = true;
}

Test(misuse, impossible_options_of_an_engine) {
    glissade_engine_info info = {.size = sizeof info};
    STATUS(glissade_engine_get_info(it.engine, &info), OK);
    STATUS(create_with(set_threads, 0, "threads is 0"), INVALID_THREADS);
    STATUS(create_with(set_threads, info.pus + 1, "threads"), INVALID_THREADS);
    STATUS(create_with(set_threads, UINT32_MAX - 1, "threads is 4294967294"), INVALID_THREADS);
    STATUS(create_with(set_oversubscribed, 0, "threads is 0"), INVALID_THREADS);
    STATUS(create_with(set_oversubscribed, 1u << 30, "threads is 1073741824"), INVALID_THREADS);
    STATUS(create_with(set_oversubscribed, info.pus + 1, ""), OK);
    static const uint32_t tiles[] = {0, 1, 255, 257, (1u << 30) + 256, UINT32_MAX - 255};
    for (size_t i = 0; i < sizeof tiles / sizeof *tiles; i++)
        STATUS(create_with(set_tile, tiles[i], "tile is "), INVALID_OPTION);
    STATUS(create_with(set_tile, 256, ""), OK);
    STATUS(create_with(set_tile, 1u << 30, ""), OK);
    STATUS(create_with(set_streams, 17, "streams is 17"), INVALID_OPTION);
    STATUS(create_with(set_streams, 16, ""), OK);
    STATUS(create_with(set_huge_pages, 2, "huge_pages is 2"), INVALID_OPTION);
    STATUS(create_with(set_keep_subnormals, 2, "keep_subnormals is 2"), INVALID_OPTION);
    STATUS(create_with(set_verbose, 4, "verbose is 4"), INVALID_OPTION);
    STATUS(create_with(set_pin, GLISSADE_PIN_ALWAYS + 1, "pin is 4"), INVALID_OPTION);
    STATUS(create_with(set_pin, UINT32_MAX, "pin"), INVALID_OPTION);
    STATUS(create_with(set_isa, GLISSADE_ISA_NEON + 1, "isa is 5"), INVALID_OPTION);
    STATUS(create_with(set_isa, UINT32_MAX, "isa"), INVALID_OPTION);
}

Test(misuse, forced_instruction_sets) {
    unsigned missing = 0;
    for (uint32_t isa = GLISSADE_ISA_SCALAR; isa <= GLISSADE_ISA_NEON; isa++) {
        const bool available = glissade_isa_available((glissade_isa)isa);
        cr_assert(!available || glissade_isa_built((glissade_isa)isa));
        cr_assert_eq(create_with(set_isa, isa, available ? "" : glissade_isa_name((glissade_isa)isa)),
                     available ? GLISSADE_STATUS_OK : GLISSADE_STATUS_UNSUPPORTED_ISA);
        missing += !available;
    }
    cr_assert_geq(missing, 1, "no machine has both AVX2 and NEON");
    cr_assert(glissade_isa_available(GLISSADE_ISA_SCALAR));
    cr_assert(!glissade_isa_built((glissade_isa)77) && !glissade_isa_available((glissade_isa)77));
    cr_assert_null(glissade_isa_name((glissade_isa)77));
}

Test(misuse, names_of_statuses) {
    for (int status = GLISSADE_STATUS_OK; status <= GLISSADE_STATUS_UNSUPPORTED; status++) {
        cr_assert_eq(strncmp(glissade_status_name((glissade_status)status), "GLISSADE_STATUS_", 16), 0);
        cr_assert_gt(strlen(glissade_status_text((glissade_status)status)), 6);
        for (int other = 0; other < status; other++)
            cr_assert_str_neq(glissade_status_name((glissade_status)status),
                              glissade_status_name((glissade_status)other));
    }
    cr_assert_not_null(glissade_status_name((glissade_status)-1));
    cr_assert_not_null(glissade_status_text((glissade_status)1000));
    cr_assert_str_eq(glissade_status_name(GLISSADE_STATUS_BUSY), "GLISSADE_STATUS_BUSY");
}
