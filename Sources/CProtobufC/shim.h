// SPDX-License-Identifier: Apache-2.0
#ifndef STARLING_CPROTOBUFC_H
#define STARLING_CPROTOBUFC_H
#include <protobuf-c/protobuf-c.h>
#endif
