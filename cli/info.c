/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `glissade info`: asks the library what it makes of this machine. Must not look at the machine itself,
 * except for the CPU's name, which the library has no use for.
 */
#include "commands.h"
#include "info.h"
#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct command info_command = {
    .name = "info",
    .summary = "show CPU, instruction sets, topology, threads and settings",
    .description =
        "Shows what the library makes of this machine: the instruction sets that are built, available and\n"
        "chosen, the CPUs that this process may use and the thread that sits on each, why there are as many\n"
        "threads as there are, and every environment variable with its value and where that came from.\n",
};

const char *info_pin_name(glissade_pin pin) {
    switch (pin) {
    case GLISSADE_PIN_NEVER:
        return "never";
    case GLISSADE_PIN_ALWAYS:
        return "always";
    default:
        return "auto";
    }
}

const char *info_origin_name(glissade_origin origin) {
    switch (origin) {
    case GLISSADE_ORIGIN_ENVIRONMENT:
        return "environment";
    case GLISSADE_ORIGIN_OPTION:
        return "option";
    default:
        return "default";
    }
}

/* Copies the value of the first "key : value" line of /proc/cpuinfo; returns false if there is none. */
static bool read_cpuinfo(const char *key, char *value, size_t size) {
    FILE *file = fopen("/proc/cpuinfo", "re");
    if (file == NULL)
        return false;
    bool found = false;
    char line[512];
    while (!found && fgets(line, sizeof line, file) != NULL) {
        char *colon = strchr(line, ':');
        if (strncmp(line, key, strlen(key)) != 0 || colon == NULL)
            continue;
        const char *start = colon + 1 + strspn(colon + 1, " \t");
        snprintf(value, size, "%.*s", (int)strcspn(start, "\n"), start);
        found = true;
    }
    fclose(file);
    return found;
}

static void read_cpu_name(char *name, size_t size) {
    char implementer[32], part[32];
    if (read_cpuinfo("model name", name, size))
        return;
    /* AArch64 kernels give numbers only. */
    if (read_cpuinfo("CPU implementer", implementer, sizeof implementer) &&
        read_cpuinfo("CPU part", part, sizeof part))
        snprintf(name, size, "implementer %s, part %s", implementer, part);
    else
        snprintf(name, size, "unknown");
}

static glissade_status gather_pus(const glissade_engine *engine, struct machine *machine) {
    machine->pus = calloc(machine->engine.pus, sizeof *machine->pus);
    if (machine->pus == NULL)
        return GLISSADE_STATUS_OUT_OF_MEMORY;
    for (uint32_t i = 0; i < machine->engine.pus; ++i) {
        machine->pus[i].size = sizeof machine->pus[i];
        glissade_status status = glissade_engine_get_pu(engine, i, &machine->pus[i]);
        if (status != GLISSADE_STATUS_OK)
            return status;
    }
    return GLISSADE_STATUS_OK;
}

static glissade_status gather_settings(const glissade_engine *engine, struct machine *machine) {
    machine->setting_count = glissade_variable_count();
    machine->settings = calloc(machine->setting_count, sizeof *machine->settings);
    if (machine->settings == NULL)
        return GLISSADE_STATUS_OUT_OF_MEMORY;
    for (uint32_t i = 0; i < machine->setting_count; ++i) {
        struct setting *setting = &machine->settings[i];
        setting->variable.size = sizeof setting->variable;
        glissade_status status = glissade_variable_get(i, &setting->variable);
        if (status == GLISSADE_STATUS_OK)
            status = glissade_engine_get_setting(engine, i, &setting->value, &setting->origin);
        if (status != GLISSADE_STATUS_OK)
            return status;
    }
    return GLISSADE_STATUS_OK;
}

static glissade_status gather(const glissade_engine *engine, struct machine *machine) {
    read_cpu_name(machine->cpu, sizeof machine->cpu);
    machine->engine.size = sizeof machine->engine;
    glissade_status status = glissade_engine_get_info(engine, &machine->engine);
    if (status == GLISSADE_STATUS_OK)
        status = gather_pus(engine, machine);
    if (status == GLISSADE_STATUS_OK)
        status = gather_settings(engine, machine);
    return status;
}

static int show_machine(bool json) {
    glissade_engine *engine;
    enum exit_code exit_code = report_engine_create(GLISSADE_UNSET, GLISSADE_UNSET, &engine);
    if (exit_code != EXIT_CODE_OK)
        return exit_code;
    struct machine machine = {.cpu = ""};
    glissade_status status = gather(engine, &machine);
    if (status != GLISSADE_STATUS_OK) {
        report_error("info: the engine cannot be inspected: %s", glissade_status_text(status));
        exit_code = report_exit_code(status);
    } else if (json) {
        exit_code = info_print_json(&machine);
    } else {
        info_print_text(&machine);
    }
    free(machine.settings);
    free(machine.pus);
    glissade_engine_destroy(&engine);
    return exit_code;
}

int info_main(int argc, char **argv) {
    bool json = false;
    const char *variables = NULL;
    const struct option_row rows[] = {
        option_flag("json", "print one JSON document", &json),
        option_text("variables", "FORMAT", "print only the environment's table; the one format is 'markdown'",
                    &variables),
    };
    int exit_code;
    if (!options_parse(&info_command, rows, sizeof rows / sizeof rows[0], argc, argv, &exit_code))
        return exit_code;
    if (variables == NULL)
        return show_machine(json);
    if (strcmp(variables, "markdown") != 0 || json) {
        report_error("info: option '--variables' cannot be '%s'%s; it accepts 'markdown', without '--json'",
                     variables, json ? " with '--json'" : "");
        return EXIT_CODE_USAGE;
    }
    info_print_variables_markdown();
    return EXIT_CODE_OK;
}
