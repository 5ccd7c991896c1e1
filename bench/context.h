/* SPDX-License-Identifier: Apache-2.0 */
/* What was measured where: the block of facts at the head of every result. */
#ifndef BENCH_CONTEXT_H
#define BENCH_CONTEXT_H

#include <string>
#include <utility>
#include <vector>

/* Names and values, in the order to print them. */
std::vector<std::pair<std::string, std::string>> describe_context();

#endif
