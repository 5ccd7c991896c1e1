/* SPDX-License-Identifier: Apache-2.0 */
/* How results are shown: an aligned table on the terminal, JSON with plain names in a file. */
#ifndef BENCH_TABLE_H
#define BENCH_TABLE_H

#include <string>
#include <utility>
#include <vector>

#include <benchmark/benchmark.h>

/* One line a benchmark: time, throughput, its ratio with the interval, what else it counted. */
class TableReporter : public benchmark::BenchmarkReporter {
  public:
    explicit TableReporter(const std::vector<std::pair<std::string, std::string>> &context);

    bool ReportContext(const Context &context) override;
    void ReportRuns(const std::vector<Run> &runs) override;

  private:
    std::vector<std::pair<std::string, std::string>> facts;
    std::string family; /* of the line before: a blank line parts families */
    size_t width = 40;
};

/* Google Benchmark appends "/iterations:25/manual_time" to names, which are keys for whoever reads the file.
 */
class PlainJsonReporter : public benchmark::JSONReporter {
  public:
    void ReportRuns(const std::vector<Run> &runs) override;
};

#endif
