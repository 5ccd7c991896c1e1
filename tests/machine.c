/* SPDX-License-Identifier: Apache-2.0 */
/* Loading invented machines (see machine.h). */
#include "machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenario.h"

#ifndef MACHINES_DIR
#error "MACHINES_DIR must name the folder that holds the XML files"
#endif

char *machine_read_xml(const char *file) {
    char path[4096];
    REQUIRE((size_t)snprintf(path, sizeof path, "%s/%s", MACHINES_DIR, file) < sizeof path, "%s", file);
    FILE *stream = fopen(path, "r");
    REQUIRE(stream, "cannot read %s", path);
    const size_t room = 1 << 20;
    char *text = calloc(1, room);
    REQUIRE(text && fread(text, 1, room - 1, stream) > 0, "nothing in %s", path);
    fclose(stream);
    return text;
}

gls_topology machine_load(const char *machine, const gls_cpuset *allowed) {
    gls_topology topology;
    glissade_error error;
    const bool xml = strstr(machine, ".xml") != NULL;
    char *text = xml ? machine_read_xml(machine) : strdup(machine);
    const glissade_status status =
        gls_topology_load(&topology, xml ? GLS_TOPOLOGY_XML : GLS_TOPOLOGY_SYNTHETIC, text, allowed, &error);
    REQUIRE(!status, "%s: %s", machine, error.message);
    free(text);
    return topology;
}

gls_cpuset machine_cpus(uint32_t first, uint32_t last, uint32_t step) {
    gls_cpuset set = {{0}};
    for (uint32_t cpu = first; cpu <= last; cpu += step)
        gls_cpuset_add(&set, cpu);
    return set;
}
