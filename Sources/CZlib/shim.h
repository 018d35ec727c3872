// SPDX-License-Identifier: Apache-2.0
#ifndef STARLING_CZLIB_H
#define STARLING_CZLIB_H
#include <zlib.h>

// inflateInit2 is a macro that passes the header's version; Swift sees functions only.
static inline int starling_inflate_init2(z_stream *stream, int window_bits) {
    return inflateInit2(stream, window_bits);
}

// As above. The arguments are those of deflateInit2.
static inline int starling_deflate_init2(z_stream *stream, int level, int window_bits) {
    return deflateInit2(stream, level, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY);
}
#endif
