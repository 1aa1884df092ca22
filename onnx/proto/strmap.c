#include "onnx/proto/strmap.h"

#include <stdint.h>
#include <string.h>

enum { FIRST_CAPACITY = 64 };

/* Eight bytes at a time, names of nodes being long; every step folds the high half in, because the
 * low bits choose the slot. */
static size_t hash(const char *key)
{
    size_t left = strlen(key);
    uint64_t h = left;
    for (; left; key += sizeof h) {
        const size_t n = left < sizeof h ? left : sizeof h;
        uint64_t word = 0;
        memcpy(&word, key, n);
        h = (h ^ word) * 0x9e3779b97f4a7c15u;
        h ^= h >> 32;
        left -= n;
    }
    return (size_t)h;
}

void mfm_strmap_init(mfm_strmap *map, mfm_ctx *ctx)
{
    *map = (mfm_strmap){.ctx = ctx};
}

void mfm_strmap_clear(mfm_strmap *map)
{
    mfm_free(map->ctx, map->slots);
    mfm_strmap_init(map, map->ctx);
}

/* The slot that holds key, or the free one where it belongs. There is always a free one. */
static struct mfm_strmap_slot *find_slot(const mfm_strmap *map, const char *key, size_t hashed)
{
    size_t i = hashed & (map->capacity - 1);
    while (map->slots[i].key &&
           (map->slots[i].hash != hashed || strcmp(map->slots[i].key, key) != 0))
        i = (i + 1) & (map->capacity - 1);
    return &map->slots[i];
}

static int enlarge(mfm_strmap *map)
{
    mfm_strmap larger = *map;
    larger.capacity = map->capacity ? 2 * map->capacity : FIRST_CAPACITY;
    larger.slots = mfm_alloc(map->ctx, larger.capacity, sizeof *larger.slots);
    if (!larger.slots)
        return MFM_ENOMEM;
    for (size_t i = 0; i < map->capacity; i++)
        if (map->slots[i].key)
            *find_slot(&larger, map->slots[i].key, map->slots[i].hash) = map->slots[i];
    mfm_free(map->ctx, map->slots);
    *map = larger;
    return MFM_OK;
}

int mfm_strmap_set(mfm_strmap *map, const char *key, size_t value)
{
    if (4 * (map->count + 1) > 3 * map->capacity && enlarge(map))
        return MFM_ENOMEM;
    const size_t hashed = hash(key);
    struct mfm_strmap_slot *slot = find_slot(map, key, hashed);
    if (!slot->key) {
        slot->key = key;
        slot->hash = hashed;
        map->count++;
    }
    slot->value = value;
    return MFM_OK;
}

bool mfm_strmap_get(const mfm_strmap *map, const char *key, size_t *value)
{
    if (!map->count)
        return false;
    const struct mfm_strmap_slot *slot = find_slot(map, key, hash(key));
    if (slot->key && value)
        *value = slot->value;
    return slot->key != NULL;
}
