#include "core/train/features/feature_file.h"

#include <errno.h>
#include <fcntl.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "core/data/file_writer.h"
#include "core/data/fnv.h"
#include "core/data/sources/source.h"

enum { MAGIC = 8, HEAD = MAGIC + MFM_FEATURE_KEY + 16, BLOCK = 1 << 20 };

static const char magic[MAGIC + 1] = "MFMFEAT1";

/* ---- the key --------------------------------------------------------------------------------- */

/* What a hash goes over; on a 64-byte boundary. */
typedef struct hasher {
    XXH3_state_t state;
} hasher;

static int hasher_new(mfm_ctx *ctx, hasher **h)
{
    *h = mfm_alloc_aligned(ctx, 1, sizeof **h);
    if (!*h)
        return MFM_ENOMEM;
    XXH3_128bits_reset(&(*h)->state);
    return MFM_OK;
}

static void add(hasher *h, const void *bytes, size_t size)
{
    if (size)
        XXH3_128bits_update(&h->state, bytes, size);
}

static void add_number(hasher *h, uint64_t number)
{
    add(h, &number, sizeof number);
}

static void add_text(hasher *h, const char *text)
{
    add(h, text, strlen(text) + 1);
}

static void finish(const hasher *h, unsigned char digest[MFM_FEATURE_KEY])
{
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(&h->state));
    memcpy(digest, canonical.digest, MFM_FEATURE_KEY);
}

static void add_shape(hasher *h, const mfm_shape *shape)
{
    add_number(h, (uint64_t)shape->rank);
    for (int i = 0; i < shape->rank; i++)
        add_number(h, (uint64_t)shape->dim[i]);
}

static void add_value(hasher *h, const mfm_graph *graph, const mfm_value *value)
{
    add_number(h, value->kind);
    if (value->kind == MFM_VALUE_NODE)
        return;
    add_shape(h, &value->shape);
    if (value->kind == MFM_VALUE_INPUT)
        return;
    const size_t size = (size_t)mfm_shape_count(&value->shape) * sizeof(real);
    add(h,
        value->kind == MFM_VALUE_PARAM   ? graph->params + value->offset
        : value->kind == MFM_VALUE_STATE ? graph->state + value->offset
                                         : value->data,
        size);
}

/* Attributes by their table: the structure may have holes. */
static void add_attributes(hasher *h, const mfm_graph_node *node)
{
    for (const mfm_attr_def *def = node->op->attrs; def && def->name; def++) {
        const char *field = (const char *)node->attr + def->offset;
        const mfm_ints *ints = (const mfm_ints *)(const void *)field;
        add_text(h, def->name);
        switch (def->type) {
        case MFM_INT:
            add(h, field, sizeof(int64_t));
            break;
        case MFM_FLOAT:
            add(h, field, sizeof(double));
            break;
        case MFM_CHOICE:
            add(h, field, sizeof(int));
            break;
        case MFM_INTS:
            add_number(h, (uint64_t)ints->count);
            for (int i = 0; i < ints->count; i++)
                add_number(h, (uint64_t)ints->v[i]);
            break;
        }
    }
}

static void add_graph(hasher *h, const mfm_prefix *prefix)
{
    const mfm_graph *graph = prefix->graph;
    for (size_t i = 0; i < graph->n_values; i++)
        add_value(h, graph, &graph->values[i]);
    for (size_t i = 0; i < graph->n_nodes; i++) {
        const mfm_graph_node *node = &graph->nodes[i];
        add_text(h, node->op->domain);
        add_text(h, node->op->name);
        add_number(h, (uint64_t)node->opset);
        add_attributes(h, node);
        add_number(h, (uint64_t)node->n_in);
        for (int j = 0; j < node->n_in; j++)
            add_number(h, (uint64_t)node->in[j]);
        for (int j = 0; j < node->n_out; j++)
            add_number(h, (uint64_t)node->out[j]);
    }
    for (size_t i = 0; i < prefix->n; i++)
        add_number(h, (uint64_t)prefix->outputs[i]);
}

static void add_preprocess(hasher *h, const mfm_preprocess *p)
{
    const int numbers[] = {p->source_height, p->source_width, p->source_channels, p->height,
                           p->width,         p->channels,     p->above,           p->before,
                           p->resizes,       p->full_height,  p->full_width};
    add(h, numbers, sizeof numbers);
    for (int c = 0; c < p->channels; c++)
        add(h, p->table[c], sizeof p->table[c]);
}

/* Of an image behind a source, what changes when it does; else its bytes. */
static void add_image(hasher *h, const mfm_feature_source *s, uint32_t index)
{
    const mfm_preprocess *p = s->preprocess;
    const mfm_images *images = s->images;
    const size_t size = (size_t)p->source_height * (size_t)p->source_width *
                        (size_t)p->source_channels;
    add_number(h, index);
    if (!images->source) {
        add(h, images->pixels + index * size, size);
        return;
    }
    const uint64_t hash = images->source->hash(images->self, index, MFM_FNV_START);
    add_number(h, images->source->stamp ? images->source->stamp(images->self, index, hash) : hash);
}

int mfm_feature_key_of(mfm_ctx *ctx, const mfm_feature_source *s, mfm_feature_key *key)
{
    hasher *h;
    const int status = hasher_new(ctx, &h);
    if (status)
        return status;
    add_text(h, MFM_VERSION);
    add_number(h, sizeof(real));
    add_number(h, (uint64_t)omp_get_max_threads());
    add_number(h, s->part);
    add_graph(h, &s->problem->prefix);
    add_preprocess(h, s->preprocess);
    add_number(h, s->count);
    for (uint32_t i = 0; i < s->count; i++)
        add_image(h, s, s->list[i]);
    finish(h, key->bytes);
    mfm_free_aligned(ctx, h);
    return MFM_OK;
}

char *mfm_feature_file_path(mfm_ctx *ctx, const char *folder, const mfm_feature_key *key)
{
    char text[2 * MFM_FEATURE_KEY + 1];
    for (int i = 0; i < MFM_FEATURE_KEY; i++)
        snprintf(text + 2 * i, 3, "%02x", (unsigned)key->bytes[i]);
    return mfm_format(ctx, "%s/%s.features", folder, text);
}

static void make_head(const mfm_feature_key *key, size_t width, uint32_t count,
                      unsigned char head[HEAD])
{
    const uint64_t numbers[2] = {width, count};
    memcpy(head, magic, MAGIC);
    memcpy(head + MAGIC, key->bytes, MFM_FEATURE_KEY);
    memcpy(head + MAGIC + MFM_FEATURE_KEY, numbers, sizeof numbers);
}

/* ---- reading --------------------------------------------------------------------------------- */

struct mfm_feature_file {
    mfm_ctx *ctx;
    char *path;
    int fd;
    size_t width;
};

static int read_at(const mfm_feature_file *f, uint64_t at, void *to, size_t size)
{
    for (char *out = to; size;) {
        const ssize_t got = pread(f->fd, out, size, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return mfm_fail(f->ctx, MFM_EIO, "cannot read %s: %s", f->path,
                            got < 0 ? strerror(errno) : "it became shorter");
        out += got;
        at += (uint64_t)got;
        size -= (size_t)got;
    }
    return MFM_OK;
}

/* *why: what is wrong with it; NULL: nothing. */
static int check(const mfm_feature_file *f, const unsigned char wanted[HEAD], uint64_t size,
                 const char **why)
{
    unsigned char head[HEAD], digest[MFM_FEATURE_KEY], found[MFM_FEATURE_KEY];
    struct stat st;
    hasher *h = NULL;
    *why = NULL;
    if (fstat(f->fd, &st) || !S_ISREG(st.st_mode) || (uint64_t)st.st_size != size) {
        *why = "its length is another";
        return MFM_OK;
    }
    unsigned char *block = mfm_alloc(f->ctx, 1, BLOCK);
    int status = block ? hasher_new(f->ctx, &h) : MFM_ENOMEM;
    if (!status)
        status = read_at(f, 0, head, HEAD);
    if (!status && memcmp(head, wanted, HEAD) != 0)
        *why = "it is of something else";
    const uint64_t end = size - MFM_FEATURE_KEY;
    for (uint64_t at = 0; at < end && !status && !*why;) {
        const size_t n = end - at < BLOCK ? (size_t)(end - at) : BLOCK;
        status = read_at(f, at, block, n);
        add(h, block, status ? 0 : n);
        at += n;
    }
    if (!status && !*why)
        status = read_at(f, end, found, sizeof found);
    if (!status && !*why) {
        finish(h, digest);
        if (memcmp(digest, found, sizeof found) != 0)
            *why = "its checksum is wrong";
    }
    mfm_free(f->ctx, block);
    mfm_free_aligned(f->ctx, h);
    return status;
}

int mfm_feature_file_open(mfm_ctx *ctx, const char *path, const mfm_feature_key *key, size_t width,
                          uint32_t count, mfm_feature_file **file)
{
    unsigned char head[HEAD];
    const char *why = NULL;
    *file = NULL;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT)
        return MFM_OK;
    if (fd < 0) {
        mfm_warn(ctx, "cannot read %s: %s: the features are made anew", path, strerror(errno));
        return MFM_OK;
    }
    mfm_feature_file *f = mfm_alloc(ctx, 1, sizeof *f);
    if (!f) {
        close(fd);
        return MFM_ENOMEM;
    }
    *f = (mfm_feature_file){.ctx = ctx, .fd = fd, .width = width, .path = mfm_strdup(ctx, path)};
    make_head(key, width, count, head);
    int status = f->path ? check(f, head, HEAD + (uint64_t)count * width * sizeof(real) +
                                              MFM_FEATURE_KEY,
                                 &why)
                         : MFM_ENOMEM;
    if (status == MFM_EIO) { /* what cannot be read is as good as not there */
        mfm_warn(ctx, "%s: the features are made anew", mfm_message(ctx));
        status = MFM_OK;
    } else if (!status && why) {
        mfm_warn(ctx, "%s is damaged or stale (%s): the features are made anew", path, why);
    } else if (!status) {
        *file = f;
        return MFM_OK;
    }
    mfm_feature_file_close(f);
    return status;
}

void mfm_feature_file_close(mfm_feature_file *f)
{
    if (!f)
        return;
    close(f->fd);
    mfm_free(f->ctx, f->path);
    mfm_free(f->ctx, f);
}

int mfm_feature_file_read(const mfm_feature_file *f, uint32_t row, uint32_t n, real *to)
{
    const size_t size = f->width * sizeof(real);
    return read_at(f, HEAD + (uint64_t)row * size, to, n * size);
}

/* ---- writing --------------------------------------------------------------------------------- */

struct mfm_feature_writer {
    mfm_ctx *ctx;
    mfm_file_writer *file;
    hasher *hash;
    size_t width;
};

static void put(mfm_feature_writer *w, const void *bytes, size_t size)
{
    add(w->hash, bytes, size);
    mfm_file_writer_put(w->file, bytes, size);
}

int mfm_feature_writer_open(mfm_ctx *ctx, const char *path, const mfm_feature_key *key,
                            size_t width, uint32_t count, mfm_feature_writer **writer)
{
    unsigned char head[HEAD];
    mfm_feature_writer *w = *writer = mfm_alloc(ctx, 1, sizeof *w);
    if (!w)
        return MFM_ENOMEM;
    *w = (mfm_feature_writer){.ctx = ctx, .width = width};
    int status = hasher_new(ctx, &w->hash);
    if (!status)
        status = mfm_file_writer_open(ctx, path, &w->file);
    if (status) {
        mfm_feature_writer_close(w);
        *writer = NULL;
        return status;
    }
    make_head(key, width, count, head);
    put(w, head, HEAD);
    return MFM_OK;
}

void mfm_feature_writer_put(mfm_feature_writer *w, const real *rows, uint32_t n)
{
    put(w, rows, n * w->width * sizeof *rows);
}

int mfm_feature_writer_commit(mfm_feature_writer *w)
{
    unsigned char digest[MFM_FEATURE_KEY];
    finish(w->hash, digest);
    mfm_file_writer_put(w->file, digest, sizeof digest);
    return mfm_file_writer_commit(w->file, NULL);
}

void mfm_feature_writer_close(mfm_feature_writer *w)
{
    if (!w)
        return;
    mfm_file_writer_close(w->file);
    mfm_free_aligned(w->ctx, w->hash);
    mfm_free(w->ctx, w);
}
