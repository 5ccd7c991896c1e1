// SPDX-License-Identifier: Apache-2.0
// The table and the JSON (see table.h).
#include "table.h"

#include <algorithm>
#include <cstdio>
#include <ostream>
#include <set>

#include "measure.h"

namespace {

using Run = benchmark::BenchmarkReporter::Run;

template <class... Values> std::string text_of(const char *format, Values... values) {
    char text[128];
    std::snprintf(text, sizeof text, format, values...);
    return text;
}

// A time with three digits and its unit.
std::string time_text(double seconds) {
    const struct {
        double size;
        const char *name;
    } units[] = {{1, "s"}, {1e-3, "ms"}, {1e-6, "us"}};
    for (const auto &unit : units)
        if (seconds >= unit.size)
            return text_of("%.*f %s", seconds < 10 * unit.size ? 2 : 1, seconds / unit.size, unit.name);
    return text_of("%.0f ns", seconds * 1e9);
}

// A billionth of a counter, or "" if the run has none.
std::string giga_text(const Run &run, const char *counter) {
    const auto found = run.counters.find(counter);
    return found == run.counters.end() ? "" : text_of("%.2f", found->second.value / 1e9);
}

// The median where there is one, else the mean.
double seconds_of(const Run &run) {
    const auto found = run.counters.find("median_ms");
    return found != run.counters.end()
               ? found->second.value / 1e3
               : run.GetAdjustedRealTime() / benchmark::GetTimeUnitMultiplier(run.time_unit);
}

// The counters that have bounds: that which has the column, then the others.
std::vector<std::string> ratio_names(const Run &run) {
    std::vector<std::string> names;
    for (const auto &counter : run.counters)
        if (run.counters.count(counter.first + "_lo") && run.counters.count(counter.first + "_hi"))
            names.push_back(counter.first);
    for (const char *main : {"of_floor", "of_step"})
        std::stable_partition(names.begin(), names.end(),
                              [main](const std::string &name) { return name == main; });
    return names;
}

std::string ratio_text(const Run &run, const std::string &name) {
    const auto value = [&](const char *suffix) { return run.counters.find(name + suffix)->second.value; };
    return text_of("%-11s %6.3f [%.3f, %.3f]", name.c_str(), value(""), value("_lo"), value("_hi"));
}

std::string main_ratio(const Run &run) {
    const std::vector<std::string> names = ratio_names(run);
    return names.empty() ? "" : ratio_text(run, names.front());
}

// The counters that have no column.
std::string notes_text(const Run &run) {
    const std::vector<std::string> ratios = ratio_names(run);
    std::set<std::string> shown = {"median_ms", "bytes_per_second", "parameters_per_second",
                                   "items_per_second", "team"};
    std::string notes;
    for (size_t i = 0; i < ratios.size(); i++) {
        shown.insert({ratios[i], ratios[i] + "_lo", ratios[i] + "_hi"});
        if (i > 0)
            notes += (notes.empty() ? "" : "  ") + ratio_text(run, ratios[i]);
    }
    // What is timed by the loop as a whole has no median to leave out when others had the CPU; its CPU time
    // does.
    if (!run.counters.count("median_ms"))
        notes += (notes.empty() ? "CPU time " : "  CPU time ") +
                 time_text(run.GetAdjustedCPUTime() / benchmark::GetTimeUnitMultiplier(run.time_unit));
    for (const auto &counter : run.counters)
        if (!shown.count(counter.first))
            notes +=
                (notes.empty() ? "" : "  ") + counter.first + " " + text_of("%.4g", counter.second.value);
    if (!run.report_label.empty())
        notes += (notes.empty() ? "" : "  ") + run.report_label;
    return notes;
}

} // namespace

TableReporter::TableReporter(const std::vector<std::pair<std::string, std::string>> &context)
    : facts(context) {
}

bool TableReporter::ReportContext(const Context &context) {
    width = std::max(width, context.name_field_width);
    std::ostream &out = GetOutputStream();
    for (const auto &fact : facts)
        out << text_of("%-17s", fact.first.c_str()) << fact.second << "\n";
    out << "\n"
        << text_of("%-*s %9s %7s %7s  %-33s %s\n", static_cast<int>(width), "benchmark", "time", "GB/s",
                   "Gpar/s", "ratio [95 % interval]", "also");
    return true;
}

void TableReporter::ReportRuns(const std::vector<Run> &runs) {
    std::ostream &out = GetOutputStream();
    for (const Run &run : runs) {
        std::string name = run.run_name.function_name;
        const std::string its_family = name.substr(0, name.find('/'));
        out << (its_family == family ? "" : "\n");
        family = its_family;
        if (!run.aggregate_name.empty())
            name += " " + run.aggregate_name;
        out << text_of("%-*s ", static_cast<int>(width), name.c_str());
        const auto reason = skipped().find(run.run_name.function_name);
        if (reason != skipped().end())
            out << reason->second;
        else
            out << text_of("%9s %7s %7s  %-33s ", time_text(seconds_of(run)).c_str(),
                           giga_text(run, "bytes_per_second").c_str(),
                           giga_text(run, "parameters_per_second").c_str(), main_ratio(run).c_str())
                << notes_text(run);
        out << std::endl; // a run takes minutes, and its reader waits
    }
}

void PlainJsonReporter::ReportRuns(const std::vector<Run> &runs) {
    std::vector<Run> plain = runs;
    for (Run &run : plain) {
        benchmark::BenchmarkName name;
        name.function_name = run.run_name.function_name;
        run.run_name = name;
    }
    JSONReporter::ReportRuns(plain);
}
