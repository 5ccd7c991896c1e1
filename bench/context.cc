// SPDX-License-Identifier: Apache-2.0
// The facts at the head of every result (see context.h).
#include "context.h"

#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "subject.h"

// The value of the first line of a "name : value" file that has this name; "" without one.
static std::string line_of(const char *path, const std::string &name) {
    std::ifstream file(path);
    std::string line;
    while (std::getline(file, line)) {
        const size_t colon = line.find(':');
        if (line.compare(0, name.size(), name) == 0 && colon != std::string::npos) {
            const size_t start = line.find_first_not_of(" \t", colon + 1);
            return start == std::string::npos ? "" : line.substr(start);
        }
    }
    return "";
}

// x86 names its processors; of AArch64's the kernel knows only numbers.
static std::string cpu_model() {
    const char *const path = "/proc/cpuinfo";
    const std::string model = line_of(path, "model name");
    if (!model.empty())
        return model;
    return "implementer " + line_of(path, "CPU implementer") + ", part " + line_of(path, "CPU part");
}

static std::string load_average() {
    double loads[3] = {};
    if (getloadavg(loads, 3) != 3)
        return "unknown";
    char text[64];
    std::snprintf(text, sizeof text, "%.2f %.2f %.2f", loads[0], loads[1], loads[2]);
    return text;
}

static std::string available_isas() {
    std::string names;
#define GLS_ISA(name, isa)                                                                                   \
    if (glissade_isa_available(isa))                                                                         \
        names += names.empty() ? #name : " " #name;
#include "isas.def"
#undef GLS_ISA
    return names;
}

static std::string topology(const glissade_engine_info &info) {
    char text[160], quota[32] = "none";
    if (info.cpu_quota > 0)
        std::snprintf(quota, sizeof quota, "%.2f CPUs", info.cpu_quota);
    std::snprintf(text, sizeof text, "%u packages, %u NUMA nodes, %u cores, %u PUs allowed; CPU quota %s",
                  info.packages, info.nodes, info.cores, info.pus, quota);
    return text;
}

static const char *word_of(glissade_pin pin) {
    return pin == GLISSADE_PIN_NEVER ? "never" : pin == GLISSADE_PIN_ALWAYS ? "always" : "auto";
}

std::vector<std::pair<std::string, std::string>> describe_context() {
    const Engine engine;
    const glissade_engine_info info = engine.info();
    return {
        {"glissade_version", glissade_version()},
        {"cpu_model", cpu_model()},
        {"isa", glissade_isa_name(info.isa)},
        {"isas_available", available_isas()},
        {"topology", topology(info)},
        {"team", std::to_string(info.threads) + " threads: " + info.threads_reason},
        {"pin", std::string(word_of(info.pin)) + (info.pinnable ? "" : " (threads cannot be bound)")},
        {"streams", std::to_string(info.streams)},
        {"huge_pages", info.huge_pages ? "asked for" : "not asked for"},
        {"compiler", __VERSION__},
        {"load_at_start", load_average()},
    };
}
