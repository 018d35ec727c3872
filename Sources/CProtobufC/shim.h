// SPDX-License-Identifier: Apache-2.0
#ifndef STARLING_CPROTOBUFC_H
#define STARLING_CPROTOBUFC_H
#include <protobuf-c/protobuf-c.h>

#include <stddef.h>

// What protobuf-c unpacked is read by another core than the one that wrote it. Swift has no name for the
// instruction that fetches memory ahead of its use; any address will do.
static inline void protobuf_c_prefetch(const void *address, size_t size_bytes) {
    const char *start = (const char *)address;
    for (size_t offset = 0; offset < size_bytes; offset += 64) {
        __builtin_prefetch(start + offset, 0, 3);
    }
}
#endif
