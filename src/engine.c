/* SPDX-License-Identifier: Apache-2.0 */
/* Life of an engine: settings from options and environment, discovery, and the choice of where work runs. */
#include "engine.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "alloc.h"
#include "dispatch.h"
#include "fork.h"
#include "guest.h"
#include "options.h"
#include "plan.h"
#include "quota.h"
#include "tuning.h"

static const gls_layout options_layout = {"glissade_engine_options", {sizeof(glissade_engine_options)}};
static const gls_layout info_layout = {"glissade_engine_info", {sizeof(glissade_engine_info)}};
static const gls_layout pu_layout = {"glissade_pu_info", {sizeof(glissade_pu_info)}};

static const glissade_engine_options default_options = {
    .size = sizeof(glissade_engine_options),
    .threads = GLISSADE_UNSET,
    .isa = GLISSADE_ISA_AUTO,
    .pin = GLISSADE_PIN_UNSET,
    .tile = GLISSADE_UNSET,
    .streams = GLISSADE_UNSET,
    .huge_pages = GLISSADE_UNSET,
    .keep_subnormals = GLISSADE_UNSET,
    .verbose = GLISSADE_UNSET,
};

void glissade_engine_options_init(glissade_engine_options *options, size_t size) {
    gls_options_init(&options_layout, options, size, &default_options);
}

/* ---- settings ---- */

/* An option that takes numbers: refused unless it is unset or what its variable would accept. */
static glissade_status read_number(gls_setting *setting, gls_variable variable, uint32_t value,
                                   const char *name, glissade_error *error) {
    if (value == GLISSADE_UNSET)
        return GLISSADE_STATUS_OK;
    if (!gls_environment_accepts(variable, value)) {
        const bool threads = variable == GLS_THREADS;
        return gls_error_set(error,
                             threads ? GLISSADE_STATUS_INVALID_THREADS : GLISSADE_STATUS_INVALID_OPTION,
                             "option %s is %u; accepted: %s, or GLISSADE_UNSET", name, value,
                             gls_environment_accepted(variable));
    }
    setting->value = value;
    setting->origin = GLISSADE_ORIGIN_OPTION;
    return GLISSADE_STATUS_OK;
}

/* An option that takes an enumerator, 0 meaning unset; `shift` leads from enumerators to places in the word
 * list. */
static glissade_status read_word(gls_setting *setting, gls_variable variable, uint32_t value, uint32_t count,
                                 uint32_t shift, const char *name, glissade_error *error) {
    if (value > count)
        return gls_error_set(error, GLISSADE_STATUS_INVALID_OPTION, "option %s is %u; accepted: 0 to %u (%s)",
                             name, value, count, gls_environment_accepted(variable));
    if (value) {
        setting->value = value - shift;
        setting->origin = GLISSADE_ORIGIN_OPTION;
    }
    return GLISSADE_STATUS_OK;
}

/* The enumerators of pin start at 1 with automatic, their words at 0; those of isa agree with their words. */
enum { PIN_SHIFT = GLISSADE_PIN_AUTO };

static glissade_status read_options(gls_setting *settings, const glissade_engine_options *options,
                                    glissade_error *error) {
    glissade_status status;
#define NUMBER(variable, field)                                                                              \
    if ((status = read_number(&settings[variable], variable, options->field, #field, error)))                \
    return status
    NUMBER(GLS_THREADS, threads);
    NUMBER(GLS_TILE, tile);
    NUMBER(GLS_STREAMS, streams);
    NUMBER(GLS_HUGEPAGES, huge_pages);
    NUMBER(GLS_KEEP_SUBNORMALS, keep_subnormals);
    NUMBER(GLS_VERBOSE, verbose);
#undef NUMBER
    if ((status = read_word(&settings[GLS_ISA], GLS_ISA, options->isa, GLISSADE_ISA_NEON, 0, "isa", error)))
        return status;
    return read_word(&settings[GLS_PIN], GLS_PIN, options->pin, GLISSADE_PIN_ALWAYS, PIN_SHIFT, "pin", error);
}

/* Defaults, then the environment, then options. */
static glissade_status collect_settings(glissade_engine *engine, const gls_environment *environment,
                                        const glissade_engine_options *options, glissade_error *error) {
    static const uint32_t defaults[GLS_VARIABLE_COUNT] = {
        [GLS_TILE] = GLS_TILE_DEFAULT,
        [GLS_HUGEPAGES] = 1,
    };
    for (int i = 0; i < GLS_VARIABLE_COUNT; i++) {
        const bool set = environment->set[i];
        engine->settings[i] =
            (gls_setting){.value = set ? environment->value[i] : defaults[i],
                          .origin = set ? GLISSADE_ORIGIN_ENVIRONMENT : GLISSADE_ORIGIN_DEFAULT};
    }
    return read_options(engine->settings, options, error);
}

/* Words for `glissade info`, once everything is chosen. */
static void describe_settings(glissade_engine *engine) {
    engine->settings[GLS_THREADS].value = engine->threads.count;
    for (int i = 0; i < GLS_VARIABLE_COUNT; i++) {
        gls_setting *setting = &engine->settings[i];
        const char *word = gls_environment_word(i, setting->value);
        if (i == GLS_ISA)
            word = glissade_isa_name(engine->isa);
        if (word)
            snprintf(setting->text, sizeof setting->text, "%s", word);
        else
            snprintf(setting->text, sizeof setting->text, "%u", setting->value);
    }
}

/* ---- discovery ---- */

static glissade_status check_isa(uint32_t value, const char *asked_by, glissade_error *error) {
    const glissade_isa isa = (glissade_isa)value;
    if (isa == GLISSADE_ISA_AUTO || glissade_isa_available(isa))
        return GLISSADE_STATUS_OK;
    return gls_error_set(error, GLISSADE_STATUS_UNSUPPORTED_ISA,
                         "%s is %s, which this %s; the best one here is %s", asked_by, glissade_isa_name(isa),
                         glissade_isa_built(isa) ? "CPU or operating system lacks"
                                                 : "build has no kernels for",
                         glissade_isa_name(gls_dispatch_best()));
}

static glissade_status choose_isa(glissade_engine *engine, const gls_environment *environment,
                                  glissade_error *error) {
    glissade_status status;
    if (environment->set[GLS_ISA] &&
        (status = check_isa(environment->value[GLS_ISA], gls_environment_name(GLS_ISA), error)))
        return status;
    const uint32_t wanted = gls_engine_setting(engine, GLS_ISA);
    if ((status = check_isa(wanted, "option isa", error)))
        return status;
    engine->isa = wanted ? (glissade_isa)wanted : gls_dispatch_best();
    engine->kernels = gls_dispatch_kernels(engine->isa);
    return GLISSADE_STATUS_OK;
}

static glissade_status discover(glissade_engine *engine, glissade_error *error) {
    gls_cpuset allowed;
    const bool known = gls_pin_read(&allowed);
    engine->placed_by_openmp = gls_team_placed_by_openmp();
    if (engine->placed_by_openmp)
        gls_team_add_places(&allowed);
    engine->quota = gls_quota_read("");
    return gls_topology_load(&engine->topology, GLS_TOPOLOGY_MACHINE, NULL, known ? &allowed : NULL, error);
}

static glissade_status choose_threads(glissade_engine *engine, const gls_environment *environment,
                                      bool oversubscribe, glissade_error *error) {
    gls_thread_request request = {.oversubscribe = oversubscribe, .quota = engine->quota};
    glissade_status status;
    if (environment->set[GLS_THREADS]) {
        request.threads = environment->value[GLS_THREADS];
        request.asked_by = gls_environment_name(GLS_THREADS);
        if ((status = gls_threads_plan(&engine->topology, &request, &engine->threads, error)))
            return status;
        if (engine->settings[GLS_THREADS].origin == GLISSADE_ORIGIN_ENVIRONMENT)
            return GLISSADE_STATUS_OK;
        gls_threads_free(&engine->threads);
    }
    request.threads = gls_engine_setting(engine, GLS_THREADS);
    request.asked_by = "option threads";
    return gls_threads_plan(&engine->topology, &request, &engine->threads, error);
}

static glissade_status prepare_pinning(glissade_engine *engine, glissade_error *error) {
    const bool never = gls_engine_setting(engine, GLS_PIN) + PIN_SHIFT == GLISSADE_PIN_NEVER;
    if (never || engine->placed_by_openmp || !engine->threads.pus)
        return GLISSADE_STATUS_OK;
    engine->cpus = gls_alloc(engine->threads.count, sizeof *engine->cpus);
    if (!engine->cpus)
        return gls_error_set(error, GLISSADE_STATUS_OUT_OF_MEMORY, "no memory for an engine");
    for (uint32_t i = 0; i < engine->threads.count; i++)
        engine->cpus[i] = engine->topology.pus[engine->threads.pus[i]].os_index;
    return GLISSADE_STATUS_OK;
}

/* ---- lifecycle ---- */

static glissade_status build(glissade_engine *engine, const glissade_engine_options *given,
                             glissade_error *error) {
    glissade_engine_options options = default_options;
    gls_environment environment;
    glissade_status status;
    if (given && (status = gls_options_read(&options_layout, &options, given, error)))
        return status;
    if ((status = gls_environment_read(&environment, error)) ||
        (status = collect_settings(engine, &environment, &options, error)) ||
        (status = choose_isa(engine, &environment, error)) || (status = discover(engine, error)) ||
        (status = choose_threads(engine, &environment, options.oversubscribe, error)) ||
        (status = prepare_pinning(engine, error)))
        return status;
    engine->log = options.log;
    engine->log_user = options.log_user;
    describe_settings(engine);
    return GLISSADE_STATUS_OK;
}

static void release(glissade_engine *engine) {
    /* In a fork's child the mutex may be held by a thread that does not exist there: it is let go with its
     * memory. */
    if (!gls_fork_is_child())
        pthread_mutex_destroy(&engine->turn);
    gls_topology_free(&engine->topology);
    gls_threads_free(&engine->threads);
    gls_free(engine->cpus);
    gls_free(engine);
}

static glissade_status create(const glissade_engine_options *options, glissade_engine **made,
                              glissade_error *error) {
    gls_error_clear(error);
    if (!made)
        return gls_error_set(error, GLISSADE_STATUS_NULL_ARGUMENT, "engine is NULL");
    *made = NULL;
    glissade_engine *engine = gls_alloc(1, sizeof *engine);
    if (!engine)
        return gls_error_set(error, GLISSADE_STATUS_OUT_OF_MEMORY, "no memory for an engine");
    atomic_init(&engine->references, 1);
    pthread_mutex_init(&engine->turn, NULL);
    const glissade_status status = build(engine, options, error);
    if (status) {
        release(engine);
        return status;
    }
    *made = engine;
    return GLISSADE_STATUS_OK;
}

glissade_status glissade_engine_create(const glissade_engine_options *options, glissade_engine **engine,
                                       glissade_error *error) {
    const gls_guest guest = gls_guest_enter();
    const glissade_status status = create(options, engine, error);
    gls_guest_leave(&guest);
    if (!status)
        gls_engine_log(*engine, 1, "engine: %s, %u threads (%s)", glissade_isa_name((*engine)->isa),
                       (*engine)->threads.count, (*engine)->threads.reason);
    return status;
}

void gls_engine_hold(glissade_engine *engine) {
    atomic_fetch_add_explicit(&engine->references, 1, memory_order_relaxed);
}

void glissade_engine_destroy(glissade_engine **engine) {
    if (!engine || !*engine)
        return;
    const gls_guest guest = gls_guest_enter();
    if (atomic_fetch_sub_explicit(&(*engine)->references, 1, memory_order_acq_rel) == 1)
        release(*engine);
    *engine = NULL;
    gls_guest_leave(&guest);
}

void gls_engine_log(const glissade_engine *engine, uint32_t level, const char *format, ...) {
    if (!engine->log || gls_engine_setting(engine, GLS_VERBOSE) < level)
        return;
    char line[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    engine->log(engine->log_user, level, line);
}

/* ---- execution ---- */

/* Whether the caller's thread does the work by itself. */
static bool is_for_one(const glissade_engine *engine, size_t bytes) {
    return engine->threads.count == 1 || bytes < GLS_TEAM_FROM || gls_fork_is_child() || gls_team_nested();
}

static gls_execution execute_alone(gls_team_work *work, void *context) {
    work(context, GLS_ALL_SHARDS);
    return (gls_execution){.threads = 1, .planned = 1};
}

static gls_execution execute_by_team(glissade_engine *engine, bool pin, gls_team_work *work, void *context) {
    const gls_team team = {
        .shards = engine->threads.count, .cpus = pin ? engine->cpus : NULL, .work = work, .context = context};
    pthread_mutex_lock(&engine->turn);
    const uint32_t delivered = gls_team_run(&team);
    pthread_mutex_unlock(&engine->turn);
    return (gls_execution){.threads = delivered, .planned = team.shards, .pinned = pin};
}

gls_execution gls_engine_execute(glissade_engine *engine, size_t bytes, gls_team_work *work, void *context) {
    if (is_for_one(engine, bytes))
        return execute_alone(work, context);
    const bool always = gls_engine_setting(engine, GLS_PIN) + PIN_SHIFT == GLISSADE_PIN_ALWAYS;
    return execute_by_team(engine, engine->cpus && (always || bytes >= GLS_PIN_FROM), work, context);
}

gls_execution gls_engine_execute_waiting(glissade_engine *engine, size_t bytes, gls_team_work *work,
                                         void *context) {
    return is_for_one(engine, bytes) ? execute_alone(work, context)
                                     : execute_by_team(engine, false, work, context);
}

bool gls_engine_tunes(const glissade_engine *engine, size_t bytes) {
    return bytes >= GLS_WALK_FROM && gls_engine_setting(engine, GLS_STREAMS) == 0;
}

gls_walk gls_engine_walk(const glissade_engine *engine, size_t bytes) {
    if (bytes < GLS_WALK_FROM)
        return (gls_walk){.streams = 1};
    return (gls_walk){.streams = gls_engine_setting(engine, GLS_STREAMS), .lead = GLS_LEAD};
}

/* ---- inspection ---- */

glissade_status glissade_engine_get_info(const glissade_engine *engine, glissade_engine_info *info) {
    if (!engine || !info)
        return GLISSADE_STATUS_NULL_ARGUMENT;
    const glissade_engine_info known = {
        .isa = engine->isa,
        .threads = engine->threads.count,
        .pus = engine->topology.pu_count,
        .cores = engine->topology.core_count,
        .packages = engine->topology.package_count,
        .nodes = engine->topology.node_count,
        .cpu_quota = engine->quota,
        .pin = (glissade_pin)(gls_engine_setting(engine, GLS_PIN) + PIN_SHIFT),
        .pinnable = engine->threads.pus && !engine->placed_by_openmp,
        .oversubscribed = !engine->threads.pus,
        .forked = gls_fork_is_child(),
        .tile = gls_engine_setting(engine, GLS_TILE),
        .streams = gls_engine_setting(engine, GLS_STREAMS),
        .huge_pages = gls_engine_setting(engine, GLS_HUGEPAGES),
        .keep_subnormals = gls_engine_setting(engine, GLS_KEEP_SUBNORMALS),
        .verbose = gls_engine_setting(engine, GLS_VERBOSE),
        .threads_reason = engine->threads.reason,
    };
    return gls_options_write(&info_layout, info, &known, NULL);
}

/* The thread planned for a PU, or -1. */
static int32_t thread_at(const glissade_engine *engine, uint32_t pu) {
    if (!engine->threads.pus || engine->placed_by_openmp)
        return -1;
    for (uint32_t i = 0; i < engine->threads.count; i++)
        if (engine->threads.pus[i] == pu)
            return (int32_t)i;
    return -1;
}

glissade_status glissade_engine_get_pu(const glissade_engine *engine, uint32_t index,
                                       glissade_pu_info *info) {
    if (!engine || !info)
        return GLISSADE_STATUS_NULL_ARGUMENT;
    if (index >= engine->topology.pu_count)
        return GLISSADE_STATUS_NOT_FOUND;
    const gls_pu *pu = &engine->topology.pus[index];
    const glissade_pu_info known = {.os_index = pu->os_index,
                                    .core = pu->core,
                                    .package = pu->package,
                                    .node = pu->node,
                                    .cache = pu->cache,
                                    .kind = pu->kind,
                                    .thread = thread_at(engine, index)};
    return gls_options_write(&pu_layout, info, &known, NULL);
}

glissade_status glissade_engine_get_setting(const glissade_engine *engine, uint32_t index, const char **value,
                                            glissade_origin *origin) {
    if (!engine || !value || !origin)
        return GLISSADE_STATUS_NULL_ARGUMENT;
    if (index >= GLS_VARIABLE_COUNT)
        return GLISSADE_STATUS_NOT_FOUND;
    *value = engine->settings[index].text;
    *origin = engine->settings[index].origin;
    return GLISSADE_STATUS_OK;
}
