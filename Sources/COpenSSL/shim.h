// SPDX-License-Identifier: Apache-2.0
#ifndef STARLING_COPENSSL_H
#define STARLING_COPENSSL_H
#include <openssl/evp.h>
#endif
