/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STARLING_CLIBFUZZER_H
#define STARLING_CLIBFUZZER_H

#include <stddef.h>
#include <stdint.h>

/* libFuzzer as a library: the program has a main of its own. -sanitize=fuzzer links it. */
int LLVMFuzzerRunDriver(int *argc, char ***argv,
                        int (*check_one)(const uint8_t *data, size_t size));

#endif
