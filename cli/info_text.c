/* SPDX-License-Identifier: Apache-2.0 */
/* `glissade info` as text for people. Must not ask the library about the engine: info.c has gathered it. */
#include "info.h"

#include <stdio.h>

static const char *yes_or_no(bool value) {
    return value ? "yes" : "no";
}

static void print_isas(glissade_isa chosen) {
    printf("\nInstruction sets\n  %-8s %-6s %s\n", "name", "built", "available");
    for (int isa = ISA_FIRST; isa <= ISA_LAST; ++isa)
        printf("  %-8s %-6s %s%s\n", glissade_isa_name((glissade_isa)isa),
               yes_or_no(glissade_isa_built((glissade_isa)isa)),
               yes_or_no(glissade_isa_available((glissade_isa)isa)),
               (glissade_isa)isa == chosen ? ", chosen" : "");
}

static void print_topology(const struct machine *machine) {
    const glissade_engine_info *engine = &machine->engine;
    printf("\nTopology (what this process may use)\n  packages %u, NUMA nodes %u, cores %u, PUs %u\n",
           engine->packages, engine->nodes, engine->cores, engine->pus);
    if (engine->cpu_quota > 0)
        printf("  cgroup CPU quota: %g CPUs\n", engine->cpu_quota);
    else
        printf("  cgroup CPU quota: none\n");
    printf("\n  %-6s %-6s %-8s %-6s %-6s %-6s %s\n", "PU", "core", "package", "node", "cache", "kind",
           "thread");
    for (uint32_t i = 0; i < engine->pus; ++i) {
        const glissade_pu_info *pu = &machine->pus[i];
        printf("  %-6u %-6u %-8u %-6u %-6u %-6u ", pu->os_index, pu->core, pu->package, pu->node, pu->cache,
               pu->kind);
        if (pu->thread >= 0)
            printf("%d\n", pu->thread);
        else
            printf("-\n");
    }
}

static void print_threads(const glissade_engine_info *engine) {
    printf("\nThreads\n  %u: %s\n", engine->threads, engine->threads_reason);
    printf("  pinning: %s%s\n", info_pin_name(engine->pin),
           engine->pinnable ? "" : ", but threads stay where OpenMP or the system puts them");
    if (engine->oversubscribed)
        printf("  more threads than PUs\n");
    if (engine->forked)
        printf("  this process was forked: steps run on the calling thread\n");
}

static void print_settings(const struct machine *machine) {
    printf("\nEnvironment\n");
    for (uint32_t i = 0; i < machine->setting_count; ++i) {
        const struct setting *setting = &machine->settings[i];
        printf("  %s = %s (%s)\n      %s\n      accepts %s; default %s\n", setting->variable.name,
               setting->value, info_origin_name(setting->origin), setting->variable.help,
               setting->variable.accepted, setting->variable.fallback);
    }
}

void info_print_text(const struct machine *machine) {
    printf("Glissade %s\nCPU: %s\n", glissade_version(), machine->cpu);
    print_isas(machine->engine.isa);
    print_topology(machine);
    print_threads(&machine->engine);
    print_settings(machine);
}

/* A bar would end the table's cell. */
static void print_cell(const char *text) {
    putchar(' ');
    for (; *text != '\0'; ++text) {
        if (*text == '|')
            putchar('\\');
        putchar(*text);
    }
    fputs(" |", stdout);
}

void info_print_variables_markdown(void) {
    printf("| Variable | Accepts | Default | Meaning |\n|---|---|---|---|\n");
    for (uint32_t i = 0; i < glissade_variable_count(); ++i) {
        glissade_variable_info variable = {.size = sizeof variable};
        if (glissade_variable_get(i, &variable) != GLISSADE_STATUS_OK)
            continue;
        printf("| `%s` |", variable.name);
        print_cell(variable.accepted);
        print_cell(variable.fallback);
        print_cell(variable.help);
        putchar('\n');
    }
}
