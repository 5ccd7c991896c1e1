/* SPDX-License-Identifier: Apache-2.0 */
/* `glissade info --json`. Must not ask the library about the engine: info.c has gathered it. */
#include "info.h"

#include "report.h"

static json_t *isas_json(glissade_isa chosen) {
    json_t *list = json_array();
    for (int isa = ISA_FIRST; isa <= ISA_LAST; ++isa)
        report_json_append(&list,
                           json_pack("{s:s, s:b, s:b, s:b}", "name", glissade_isa_name((glissade_isa)isa),
                                     "built", glissade_isa_built((glissade_isa)isa), "available",
                                     glissade_isa_available((glissade_isa)isa), "chosen",
                                     (glissade_isa)isa == chosen));
    return list;
}

static json_t *pus_json(const struct machine *machine) {
    json_t *list = json_array();
    for (uint32_t i = 0; i < machine->engine.pus; ++i) {
        const glissade_pu_info *pu = &machine->pus[i];
        json_t *thread = pu->thread >= 0 ? json_integer(pu->thread) : json_null();
        report_json_append(&list, json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:o}", "os_index",
                                            (int)pu->os_index, "core", (int)pu->core, "package",
                                            (int)pu->package, "node", (int)pu->node, "cache", (int)pu->cache,
                                            "kind", (int)pu->kind, "thread", thread));
    }
    return list;
}

static json_t *settings_json(const struct machine *machine) {
    json_t *list = json_array();
    for (uint32_t i = 0; i < machine->setting_count; ++i) {
        const struct setting *setting = &machine->settings[i];
        report_json_append(&list,
                           json_pack("{s:s, s:o, s:s, s:s, s:s, s:s}", "name", setting->variable.name,
                                     "value", report_json_text(setting->value), "origin",
                                     info_origin_name(setting->origin), "accepts", setting->variable.accepted,
                                     "default", setting->variable.fallback, "help", setting->variable.help));
    }
    return list;
}

int info_print_json(const struct machine *machine) {
    const glissade_engine_info *engine = &machine->engine;
    json_t *quota = engine->cpu_quota > 0 ? json_real(engine->cpu_quota) : json_null();
    json_t *topology = json_pack("{s:i, s:i, s:i, s:i, s:o, s:o}", "packages", (int)engine->packages, "nodes",
                                 (int)engine->nodes, "cores", (int)engine->cores, "pus", (int)engine->pus,
                                 "cpu_quota", quota, "table", pus_json(machine));
    json_t *threads =
        json_pack("{s:i, s:s, s:s, s:b, s:b, s:b}", "count", (int)engine->threads, "reason",
                  engine->threads_reason, "pin", info_pin_name(engine->pin), "pinnable", engine->pinnable,
                  "oversubscribed", engine->oversubscribed, "forked", engine->forked);
    return report_json(json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "version", glissade_version(), "cpu",
                                 report_json_text(machine->cpu), "isas", isas_json(engine->isa), "topology",
                                 topology, "threads", threads, "variables", settings_json(machine)));
}
