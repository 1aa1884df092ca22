#include "core/train/features/keep_features.h"

#include <stdio.h>
#include <string.h>

#include "core/base/words.h"
#include "core/data/evaluation_images.h"
#include "core/data/image_digests.h"
#include "core/train/features/feature_cache.h"
#include "core/train/features/feature_key.h"
#include "core/train/features/feature_parts.h"
#include "core/train/vector.h"

typedef struct keeper {
    mfm_ctx *ctx;
    mfm_frozen_features *f;
    const mfm_feature_keeping *how;
    mfm_feature_cache cache;
    mfm_feature_pruned pruned;
    real *rows;          /* [part, width] */
    uint32_t *sample;    /* [2, part] */
    size_t left;         /* bytes of memory */
    uint64_t read, made; /* rows */
} keeper;

/* Images of the list under way. */
typedef struct entry {
    const mfm_feature_images *of;
    mfm_feature_set set;
    uint32_t *list; /* [n] whose features are not kept yet */
    uint32_t n;
    mfm_digest *digests; /* [n]; NULL: there is no cache */
    bool *known;         /* [n] */
    uint32_t *todo;      /* [n] numbers in the list of those that the cache has not */
    uint32_t *indices;   /* [n] room */
    uint32_t left_out;
} entry;

static double mib(size_t bytes)
{
    return (double)bytes / 0x1p20;
}

static int tell_images(const keeper *k, const entry *e, const char *verb, uint32_t done,
                       uint32_t total)
{
    char doing[64];
    const mfm_feature_watch *watch = k->how->watch;
    if (!watch || !total)
        return MFM_OK;
    snprintf(doing, sizeof doing, "%s %s features", verb, e->of->what);
    return watch->on_images(watch->self, doing, done, total);
}

/* ---- what the cache has ---------------------------------------------------------------------- */

static mfm_digest name_of(const keeper *k, const entry *e, uint32_t i, uint32_t copy)
{
    const mfm_preprocess *p = k->how->preprocess;
    return e->of->copies
               ? mfm_feature_copy_name(e->digests[i], &p->augment, k->how->seed, e->list[i], copy)
               : e->digests[i];
}

static uint32_t *row_of(entry *e, uint32_t i, uint32_t copy)
{
    return &e->set.row[(size_t)e->list[i] * mfm_feature_forms(&e->set) + copy];
}

/* Where a row lies in memory. */
static size_t place_of(const entry *e, uint32_t i, uint32_t copy)
{
    return (size_t)copy * e->n + i;
}

/* Rows that the cache has of a copy; *n_todo: how many it has not. */
static int read_rows(keeper *k, entry *e, uint32_t copy, uint32_t *n_todo)
{
    *n_todo = 0;
    for (uint32_t i = 0; i < e->n; i++) {
        uint32_t row = MFM_NO_FEATURES;
        if (k->cache.file && e->known[i]) {
            const mfm_digest name = name_of(k, e, i, copy);
            row = mfm_feature_file_find(k->cache.file, &name);
        }
        if (row == MFM_NO_FEATURES) {
            e->todo[(*n_todo)++] = i;
            continue;
        }
        const size_t place = place_of(e, i, copy);
        real *to = e->set.data ? e->set.data + place * k->f->width : k->rows;
        if (mfm_feature_file_read(k->cache.file, row, to))
            return mfm_feature_cache_unusable(&k->cache, mfm_message(k->ctx));
        *row_of(e, i, copy) = e->set.data ? (uint32_t)place : row;
        k->read++;
    }
    return MFM_OK;
}

/* ---- computing ------------------------------------------------------------------------------- */

static int open_images(const keeper *k, const entry *e, const uint32_t *indices, uint32_t copy,
                       mfm_evaluation_images **reading)
{
    const int status =
        mfm_evaluation_images_open(k->ctx, e->of->images, indices, k->how->preprocess, reading);
    if (!status && e->of->copies)
        mfm_evaluation_images_copy(*reading, k->how->seed, copy);
    return status;
}

/* Up to a part of what is read: rows, which are those of images that are not left out. */
static int run_part(const keeper *k, mfm_evaluation_images *reading, uint32_t first, uint32_t n,
                    real *rows)
{
    mfm_frozen_features *f = k->f;
    const int status = mfm_evaluation_images_read(reading, first, n, f->images, f->labels);
    if (!status)
        mfm_feature_part_run(f, n, rows);
    return status;
}

static bool left_out(const keeper *k, uint32_t i)
{
    return k->f->labels[i] == (real)MFM_LEFT_OUT;
}

/* An image that could not be read for its name has no row in a file. */
static int keep_row(keeper *k, entry *e, uint32_t i, uint32_t copy, const real *row)
{
    uint32_t number = MFM_NO_FEATURES;
    int status = MFM_OK;
    if (k->cache.path && e->known[i]) {
        const mfm_digest name = name_of(k, e, i, copy);
        status = mfm_feature_cache_put(&k->cache, &name, row, &number);
    }
    if (status && (status != MFM_CACHE_LOST || !e->set.data))
        return status;
    k->made++;
    if (e->set.data) {
        number = (uint32_t)place_of(e, i, copy);
        memcpy(e->set.data + number * k->f->width, row, k->f->width * sizeof *row);
    }
    *row_of(e, i, copy) = number;
    return MFM_OK;
}

/* Those of a copy that the cache has not. */
static int make_rows(keeper *k, entry *e, uint32_t copy, uint32_t n_todo)
{
    mfm_evaluation_images *reading;
    for (uint32_t i = 0; i < n_todo; i++)
        e->indices[i] = e->list[e->todo[i]];
    int status = open_images(k, e, e->indices, copy, &reading);
    if (!status)
        status = tell_images(k, e, "computing", 0, n_todo);
    for (uint32_t first = 0; first < n_todo && !status;) {
        const uint32_t n = n_todo - first < k->f->part ? n_todo - first : k->f->part;
        status = run_part(k, reading, first, n, k->rows);
        for (uint32_t i = 0; i < n && !status; i++) {
            if (left_out(k, i))
                e->left_out += copy == 0;
            else
                status = keep_row(k, e, e->todo[first + i], copy, k->rows + i * k->f->width);
        }
        first += n;
        if (!status)
            status = tell_images(k, e, "computing", first, n_todo);
    }
    mfm_evaluation_images_close(reading);
    return status;
}

/* Numbers in the list of images whose rows were read, up to a part, evenly over them. */
static uint32_t choose_sample(const keeper *k, entry *e)
{
    uint32_t found = 0, n = 0;
    for (uint32_t i = 0; i < e->n; i++)
        found += *row_of(e, i, 0) != MFM_NO_FEATURES;
    const uint32_t step = found / k->f->part + 1;
    for (uint32_t i = 0, seen = 0; i < e->n; i++)
        if (*row_of(e, i, 0) != MFM_NO_FEATURES && seen++ % step == 0) {
            k->sample[n] = i;
            k->sample[k->f->part + n++] = e->list[i];
        }
    return n;
}

static int compare(const keeper *k, entry *e, uint32_t n, real *room)
{
    for (uint32_t i = 0; i < n; i++) {
        const size_t width = k->f->width;
        const uint32_t row = *row_of(e, k->sample[i], 0);
        const real *was = e->set.data ? e->set.data + row * width : room;
        const int status = e->set.data ? MFM_OK : mfm_feature_file_read(k->cache.file, row, room);
        if (status)
            return status;
        if (!left_out(k, i) && memcmp(was, k->rows + i * width, width * sizeof *was) != 0)
            return MFM_CACHE_ANEW;
    }
    return MFM_OK;
}

/* Another build, processor or library may compute other bits: some of the rows that were read must
 * be what is computed now. */
static int check_sample(keeper *k, entry *e)
{
    mfm_evaluation_images *reading;
    real *room;
    const uint32_t n = choose_sample(k, e);
    int status = mfm_vector_new(k->ctx, NULL, k->f->width, &room);
    if (!status)
        status = open_images(k, e, k->sample + k->f->part, 0, &reading);
    if (!status) {
        status = run_part(k, reading, 0, n, k->rows);
        mfm_evaluation_images_close(reading);
    }
    if (!status)
        status = compare(k, e, n, room);
    mfm_free_aligned(k->ctx, room);
    if (status == MFM_CACHE_ANEW)
        mfm_warn(k->ctx,
                 "%s: this program computes other numbers than the one that wrote it: the features "
                 "are computed anew",
                 k->cache.path);
    return status;
}

/* ---- one entry of the list ------------------------------------------------------------------- */

static void clear_entry(const keeper *k, entry *e)
{
    mfm_free(k->ctx, e->list);
    mfm_free(k->ctx, e->digests);
    mfm_free(k->ctx, e->known);
    mfm_free(k->ctx, e->todo);
    mfm_free(k->ctx, e->indices);
    mfm_feature_set_clear(k->ctx, &e->set);
}

/* What of the images is not kept yet, each once. */
static int list_missing(const keeper *k, entry *e)
{
    const mfm_feature_images *of = e->of;
    const size_t forms = mfm_feature_forms(&e->set), rows = of->images->count * forms;
    e->set.row = mfm_alloc(k->ctx, rows, sizeof *e->set.row);
    e->list = mfm_alloc(k->ctx, of->count, sizeof *e->list);
    e->todo = mfm_alloc(k->ctx, of->count, sizeof *e->todo);
    e->indices = mfm_alloc(k->ctx, of->count, sizeof *e->indices);
    if (!e->set.row || !e->list || !e->todo || !e->indices)
        return MFM_ENOMEM;
    for (size_t i = 0; i < rows; i++)
        e->set.row[i] = MFM_NO_FEATURES;
    for (uint32_t i = 0; i < of->count; i++) {
        const uint32_t index = of->indices ? of->indices[i] : i;
        uint32_t *mark = &e->set.row[index * forms];
        if (*mark == MFM_NO_FEATURES && !mfm_feature_known(k->f, of->images, index, of->copies, 0))
            e->list[e->n++] = index;
        *mark = 0;
    }
    for (size_t i = 0; i < rows; i += forms)
        e->set.row[i] = MFM_NO_FEATURES;
    return MFM_OK;
}

/* All files are read for it, which takes its time where they lie on a slow disk. */
static int find_digests(const keeper *k, entry *e)
{
    enum { AT_ONCE = 64 };
    e->digests = mfm_alloc(k->ctx, e->n, sizeof *e->digests);
    e->known = mfm_alloc(k->ctx, e->n, sizeof *e->known);
    int status = e->digests && e->known ? tell_images(k, e, "looking up", 0, e->n) : MFM_ENOMEM;
    for (uint32_t first = 0; first < e->n && !status;) {
        const uint32_t n = e->n - first < AT_ONCE ? e->n - first : AT_ONCE;
        status = mfm_image_digests(k->ctx, e->of->images, k->how->preprocess, e->list + first, n,
                                   e->digests + first, e->known + first);
        first += n;
        if (!status)
            status = tell_images(k, e, "looking up", first, e->n);
    }
    return status;
}

/* In memory, or by the numbers of rows in the file. */
static int fill(keeper *k, entry *e, bool in_memory)
{
    const size_t rows = (size_t)e->n * mfm_feature_forms(&e->set);
    int status =
        in_memory ? mfm_vector_new(k->ctx, NULL, rows * k->f->width, &e->set.data) : MFM_OK;
    if (!status && k->cache.path)
        status = find_digests(k, e);
    for (uint32_t copy = 0; copy < mfm_feature_forms(&e->set) && !status; copy++) {
        uint32_t n_todo;
        status = read_rows(k, e, copy, &n_todo);
        if (!status && copy == 0 && n_todo < e->n)
            status = check_sample(k, e);
        if (!status)
            status = make_rows(k, e, copy, n_todo);
    }
    return status;
}

static int keep_entry(keeper *k, const mfm_feature_images *of)
{
    entry e = {.of = of, .set = {.images = of->images, .copies = of->copies, .what = of->what}};
    int status = list_missing(k, &e);
    const size_t rows = (size_t)e.n * mfm_feature_forms(&e.set);
    const size_t size = mfm_frozen_features_size(k->f, rows);
    const bool fits = size <= k->left && rows < MFM_NO_FEATURES;
    if (!status && (fits || (k->cache.path && !k->cache.unwritable)))
        status = fill(k, &e, fits);
    else if (!status)
        status = MFM_CACHE_LOST;
    if (status == MFM_CACHE_LOST && k->how->memory)
        mfm_warn(k->ctx,
                 "the features of %u %s images take %.1f MiB, --feature-memory leaves %.1f: they "
                 "are computed each time",
                 of->count, of->what, mib(size), mib(k->left));
    if (status == MFM_ENOMEM)
        status = mfm_fail_in(k->ctx, status,
                             "features of %u images (--feature-memory 0 does without)", of->count);
    if (!status) {
        k->left -= fits ? size : 0;
        e.set.count = rows;
        e.set.told = of->count - e.left_out;
        k->f->sets[k->f->n_sets++] = e.set;
        e.set = (mfm_feature_set){.images = NULL};
    }
    clear_entry(k, &e);
    return status == MFM_CACHE_LOST ? MFM_OK : status;
}

/* ---- the whole ------------------------------------------------------------------------------- */

static void forget_sets(keeper *k)
{
    while (k->f->n_sets)
        mfm_feature_set_clear(k->ctx, &k->f->sets[--k->f->n_sets]);
}

/* Rows that were taken back are nowhere. */
static void drop_unwritten(keeper *k)
{
    mfm_frozen_features *f = k->f;
    const uint32_t there = mfm_feature_file_count(k->cache.file);
    for (int s = f->n_sets; s-- > 0;) {
        mfm_feature_set *set = &f->sets[s];
        const size_t rows = set->images->count * mfm_feature_forms(set);
        bool written = true;
        for (size_t i = 0; !set->data && i < rows && written; i++)
            written = set->row[i] == MFM_NO_FEATURES || set->row[i] < there;
        if (written)
            continue;
        mfm_feature_set_clear(k->ctx, set);
        *set = f->sets[--f->n_sets];
    }
}

/* ANEW: nothing of the old file is used. */
static int keep_all(keeper *k, const mfm_feature_images *list, int n)
{
    int status = MFM_OK;
    k->left = k->how->memory;
    k->read = k->made = 0;
    for (int i = 0; i < n && !status; i++)
        if (list[i].count && !list[i].varies)
            status = keep_entry(k, &list[i]);
    if (!status)
        status = mfm_feature_cache_commit(&k->cache);
    if (k->cache.unwritable && status >= 0)
        drop_unwritten(k);
    if (status != MFM_CACHE_ANEW)
        return status == MFM_CACHE_LOST ? MFM_OK : status;
    forget_sets(k);
    mfm_feature_cache_forget(&k->cache);
    return status;
}

/* Sets without data read from the file from now on. */
static int hand_over(keeper *k)
{
    bool used = false;
    for (int i = 0; i < k->f->n_sets; i++)
        used |= !k->f->sets[i].data && k->f->sets[i].count;
    if (!used)
        return MFM_OK;
    k->f->file = k->cache.file;
    k->cache.file = NULL;
    return mfm_vector_new(k->ctx, NULL, k->f->width, &k->f->from_file);
}

/* Where the rows of the sets are; returns the length of the text. */
static int tell_place(const keeper *k, size_t size, char *to, size_t room)
{
    const unsigned long long read = k->read, made = k->made;
    if (!k->cache.path || k->cache.unwritable)
        return snprintf(to, room, " images are computed once: %.1f MiB", mib(size));
    if (!read)
        return snprintf(to, room, " images are computed once: %.1f MiB, kept in %.512s", mib(size),
                        k->cache.path);
    if (!made)
        return snprintf(to, room, " images are read from %.512s: %.1f MiB", k->cache.path,
                        mib(size));
    return snprintf(to, room,
                    " images: %llu are read from %.512s, %llu computed once and added: %.1f MiB",
                    read, k->cache.path, made, mib(size));
}

static void tell(const keeper *k, char note[MFM_FEATURE_NOTE])
{
    size_t used = 0, size = 0;
    for (int i = 0; i < k->f->n_sets; i++) {
        const mfm_feature_set *set = &k->f->sets[i];
        size += mfm_frozen_features_size(k->f, set->count);
        used += (size_t)snprintf(note + used, MFM_FEATURE_NOTE - used, "%s%u %s",
                                 used ? ", " : "the features of ", set->told, set->what);
        if (set->copies)
            used += (size_t)snprintf(note + used, MFM_FEATURE_NOTE - used, " (%u %s of each)",
                                     set->copies, mfm_plural(set->copies, "copy", "copies"));
    }
    if (used)
        used += (size_t)tell_place(k, size, note + used, MFM_FEATURE_NOTE - used);
    if (k->pruned.files)
        snprintf(note + used, MFM_FEATURE_NOTE - used,
                 "%s%zu %s of features used least recently, %.1f MiB, %s removed", used ? "; " : "",
                 k->pruned.files, mfm_plural(k->pruned.files, "file", "files"),
                 k->pruned.bytes / 0x1p20, mfm_plural(k->pruned.files, "is", "are"));
}

static int prepare(keeper *k)
{
    mfm_frozen_features *f = k->f;
    int status = mfm_vector_new(k->ctx, NULL, f->part * f->width, &k->rows);
    k->sample = mfm_alloc(k->ctx, 2 * (size_t)f->part, sizeof *k->sample);
    if (!status && !k->sample)
        status = MFM_ENOMEM;
    if (status || !k->how->cache)
        return status;
    const mfm_digest key = mfm_feature_key(&f->problem->prefix, k->how->preprocess, f->part);
    return mfm_feature_cache_open(k->ctx, k->how->cache, k->how->cache_size, &key, f->width,
                                  &k->cache);
}

int mfm_keep_features(mfm_ctx *ctx, mfm_frozen_features *features, const mfm_feature_images *list,
                      int n, const mfm_feature_keeping *how, char note[MFM_FEATURE_NOTE])
{
    keeper k = {.ctx = ctx, .f = features, .how = how, .cache = {.ctx = ctx}};
    note[0] = '\0';
    if (!how->memory && !how->cache)
        return MFM_OK;
    int status = prepare(&k);
    if (!status)
        status = keep_all(&k, list, n);
    if (status == MFM_CACHE_ANEW)
        status = keep_all(&k, list, n);
    if (!status)
        status = mfm_feature_cache_prune(&k.cache, &k.pruned);
    if (!status)
        status = hand_over(&k);
    if (!status)
        tell(&k, note);
    mfm_feature_cache_clear(&k.cache);
    mfm_free_aligned(ctx, k.rows);
    mfm_free(ctx, k.sample);
    return status;
}
