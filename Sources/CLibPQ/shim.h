// SPDX-License-Identifier: Apache-2.0
#ifndef STARLING_CLIBPQ_H
#define STARLING_CLIBPQ_H
#include <libpq-fe.h>
#endif
