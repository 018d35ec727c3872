// SPDX-License-Identifier: Apache-2.0
#ifndef STARLING_CNGHTTP2_H
#define STARLING_CNGHTTP2_H
#include <nghttp2/nghttp2.h>
#endif
