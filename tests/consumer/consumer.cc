// SPDX-License-Identifier: Apache-2.0
// The same program through a C++ compiler.
#include "consumer.c"
