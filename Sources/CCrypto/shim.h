#pragma once
// OpenSSL 3 marks the SHA256_Init family as deprecated. It stays in all of 3.x, and is what the one-shot calls cost
// three times as much as: those look up the algorithm by name each time.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
