/*
 * FNV-1a of 64 bits (Fowler, Noll, Vo): tells whether two runs saw the same bytes. No defence
 * against anyone who looks for collisions.
 */
#ifndef MFM_FNV_H
#define MFM_FNV_H

#include <stddef.h>
#include <stdint.h>

#define MFM_FNV_START 0xCBF29CE484222325u

/* Goes on with a hash: bytes one after the other. */
static inline uint64_t mfm_fnv(uint64_t hash, const void *bytes, size_t size)
{
    const unsigned char *at = bytes;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ at[i]) * 0x100000001B3u;
    return hash;
}

/* Numbers as `size` bytes each, the lowest first, on any machine. */
static inline uint64_t mfm_fnv_number(uint64_t hash, uint64_t number, int size)
{
    for (int i = 0; i < size; i++) {
        const unsigned char byte = (unsigned char)(number >> (8 * i));
        hash = mfm_fnv(hash, &byte, 1);
    }
    return hash;
}

#endif
