// SPDX-License-Identifier: Apache-2.0
// glissade-bench: registers every family and hands over to Google Benchmark. Its own option is --effort.
#include <cstdlib>
#include <cstring>
#include <exception>
#include <iostream>
#include <string>

#include "context.h"
#include "families.h"
#include "measure.h"
#include "table.h"

namespace {

const char *const effort_option = "--effort=";

// Takes --effort=FACTOR out of the arguments. False if it is no number above 0.
bool take_effort(int &argc, char **argv) {
    int kept = 1;
    for (int i = 1; i < argc; i++) {
        if (std::strncmp(argv[i], effort_option, std::strlen(effort_option)) != 0) {
            argv[kept++] = argv[i];
            continue;
        }
        char *end;
        const char *value = argv[i] + std::strlen(effort_option);
        effort = std::strtod(value, &end);
        if (end == value || *end || !(effort > 0 && effort <= 1000)) {
            std::cerr << "glissade-bench: " << argv[i] << ": accepted: a number above 0, at most 1000\n";
            return false;
        }
    }
    argc = kept;
    argv[argc] = nullptr;
    return true;
}

bool has_option(int argc, char **argv, const std::string &option) {
    for (int i = 1; i < argc; i++)
        if (std::string(argv[i]).compare(0, option.size(), option) == 0)
            return true;
    return false;
}

void add_families() {
    add_roofline();
    add_step();
    add_fused();
    add_models();
    add_debias();
    add_threads();
    add_isa();
    add_pin();
    add_walk();
    add_decay();
    add_allocation();
    add_overhead();
    add_file();
}

int run(int argc, char **argv) {
    if (!take_effort(argc, argv))
        return 2;
    const bool json_wanted = has_option(argc, argv, "--benchmark_format=json");
    const bool table_wanted = !has_option(argc, argv, "--benchmark_format");
    const bool own_file = has_option(argc, argv, "--benchmark_out=");
    const bool own_file_format = has_option(argc, argv, "--benchmark_out_format");
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv))
        return 2;
    const auto context = describe_context();
    for (const auto &fact : context)
        benchmark::AddCustomContext(fact.first, fact.second);
    add_families();

    TableReporter table(context);
    PlainJsonReporter display_json, file_json;
    benchmark::BenchmarkReporter *display = nullptr, *file = nullptr; // Google Benchmark's own
    if (table_wanted)
        display = &table;
    else if (json_wanted)
        display = &display_json;
    if (own_file && !own_file_format)
        file = &file_json;
    benchmark::RunSpecifiedBenchmarks(display, file);
    benchmark::Shutdown();
    return 0;
}

} // namespace

int main(int argc, char **argv) {
    try {
        return run(argc, argv);
    } catch (const std::exception &failure) {
        std::cerr << "glissade-bench: " << failure.what() << "\n";
        return 1;
    }
}
