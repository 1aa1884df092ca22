#include "core/data/npy.h"

#include <stdio.h>
#include <string.h>

static const char magic[] = "\x93NUMPY";
enum { MAGIC = sizeof magic - 1, ALIGNMENT = 64, WORD = 32 };

bool mfm_npy_begins(const char *bytes, size_t size)
{
    return size >= MAGIC && memcmp(bytes, magic, MAGIC) == 0;
}

/* ---- the header: a dictionary of Python --------------------------------------------------------
 */

typedef struct parser {
    mfm_ctx *ctx;
    const char *path;
    const char *at, *end;
} parser;

static int bad_header(const parser *p, const char *rule)
{
    return mfm_fail(p->ctx, MFM_EDATA, "%s: header of .npy: %s", p->path, rule);
}

static void skip_space(parser *p)
{
    while (p->at < p->end && (*p->at == ' ' || *p->at == '\n'))
        p->at++;
}

/* Whether that character comes next, which is then passed. */
static bool take(parser *p, char wanted)
{
    skip_space(p);
    if (p->at == p->end || *p->at != wanted)
        return false;
    p->at++;
    return true;
}

static bool take_word(parser *p, const char *wanted)
{
    const size_t length = strlen(wanted);
    skip_space(p);
    if ((size_t)(p->end - p->at) < length || memcmp(p->at, wanted, length) != 0)
        return false;
    p->at += length;
    return true;
}

/* A string without escapes, of less than WORD characters; "" when it is none. */
static const char *take_string(parser *p, char text[WORD])
{
    text[0] = '\0';
    skip_space(p);
    const char quote = p->at < p->end ? *p->at : '\0';
    if (quote != '\'' && quote != '"')
        return text;
    const char *first = p->at + 1;
    const char *last = memchr(first, quote, (size_t)(p->end - first));
    if (!last || last - first >= WORD)
        return text;
    memcpy(text, first, (size_t)(last - first));
    text[last - first] = '\0';
    p->at = last + 1;
    return text;
}

static int read_type(parser *p, mfm_npy *npy)
{
    static const struct {
        const char *name;
        enum mfm_npy_type type;
        bool big_endian;
    } types[] = {{"<f4", MFM_NPY_FLOAT32, false}, {">f4", MFM_NPY_FLOAT32, true},
                 {"<f8", MFM_NPY_FLOAT64, false}, {">f8", MFM_NPY_FLOAT64, true},
                 {"<i4", MFM_NPY_INT32, false},   {">i4", MFM_NPY_INT32, true},
                 {"<i8", MFM_NPY_INT64, false},   {">i8", MFM_NPY_INT64, true},
                 {"|u1", MFM_NPY_BYTE, false}};
    char name[WORD];
    take_string(p, name);
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strcmp(name, types[i].name) == 0) {
            npy->type = types[i].type;
            npy->big_endian = types[i].big_endian;
            return MFM_OK;
        }
    return mfm_fail(
        p->ctx, MFM_ENOTSUP,
        "%s: its numbers are %s: expected float32 (<f4), float64, int32, int64 or uint8: "
        "astype(numpy.float32) makes them so",
        p->path, name[0] ? name : "of a structured type");
}

static int read_order(parser *p, mfm_npy *npy)
{
    npy->column_major = take_word(p, "True");
    return npy->column_major || take_word(p, "False")
               ? MFM_OK
               : bad_header(p, "fortran_order must be True or False");
}

static int read_length(parser *p, int64_t *length)
{
    skip_space(p);
    const char *first = p->at;
    *length = 0;
    for (; p->at < p->end && *p->at >= '0' && *p->at <= '9'; p->at++) {
        *length = 10 * *length + (*p->at - '0');
        if (*length > MFM_MOST_REALS)
            return bad_header(p, "a length of shape is too large");
    }
    return p->at > first ? MFM_OK : bad_header(p, "shape must be a tuple of whole numbers");
}

static int read_shape(parser *p, mfm_npy *npy)
{
    npy->shape = (mfm_shape){.rank = 0};
    if (!take(p, '('))
        return bad_header(p, "shape must be a tuple of whole numbers");
    while (!take(p, ')')) {
        if (npy->shape.rank == MFM_MAX_RANK)
            return bad_header(p, "shape has more than 6 axes");
        const int status = read_length(p, &npy->shape.dim[npy->shape.rank++]);
        if (status)
            return status;
        skip_space(p);
        if (!take(p, ',') && (p->at == p->end || *p->at != ')'))
            return bad_header(p, "shape must be a tuple of whole numbers");
    }
    return mfm_shape_check(p->ctx, &npy->shape, p->path);
}

/* Each key once, in any order. */
static int read_dictionary(parser *p, mfm_npy *npy)
{
    static int (*const readers[])(parser *, mfm_npy *) = {read_type, read_order, read_shape};
    static const char *const keys[] = {"descr", "fortran_order", "shape"};
    enum { KEYS = sizeof keys / sizeof keys[0] };
    bool met[KEYS] = {false};
    if (!take(p, '{'))
        return bad_header(p, "it must be a dictionary");
    while (!take(p, '}')) {
        char key[WORD];
        size_t k = 0;
        take_string(p, key);
        while (k < KEYS && strcmp(key, keys[k]) != 0)
            k++;
        if (k == KEYS || met[k] || !take(p, ':'))
            return bad_header(p, "its keys must be descr, fortran_order and shape, each once");
        met[k] = true;
        const int status = readers[k](p, npy);
        if (status)
            return status;
        skip_space(p);
        if (!take(p, ',') && (p->at == p->end || *p->at != '}'))
            return bad_header(p, "its entries must be separated by commas");
    }
    skip_space(p);
    if (p->at != p->end)
        return bad_header(p, "something follows the dictionary");
    return met[0] && met[1] && met[2]
               ? MFM_OK
               : bad_header(p, "its keys must be descr, fortran_order and shape, each once");
}

/* ---- the file ----------------------------------------------------------------------------------
 */

static size_t type_size(const mfm_npy *npy)
{
    static const size_t sizes[] = {[MFM_NPY_FLOAT32] = sizeof(float),
                                   [MFM_NPY_FLOAT64] = sizeof(double),
                                   [MFM_NPY_INT32] = sizeof(int32_t),
                                   [MFM_NPY_INT64] = sizeof(int64_t),
                                   [MFM_NPY_BYTE] = 1};
    return sizes[npy->type];
}

/* The length of the header's length is 2 bytes in version 1, 4 in the others, lowest first. */
static int find_header(parser *p, const char *bytes, size_t size)
{
    const unsigned char *u = (const unsigned char *)bytes;
    const int version = size > MAGIC ? u[MAGIC] : 0;
    const size_t begin = MAGIC + 2 + (version == 1 ? 2 : 4);
    if (version < 1 || version > 3)
        return mfm_fail(p->ctx, MFM_ENOTSUP, "%s: version %d of .npy: expected 1 to 3", p->path,
                        version);
    if (size < begin)
        return bad_header(p, "the file ends within it");
    size_t length = 0;
    for (size_t i = begin; i-- > MAGIC + 2;)
        length = length << 8 | u[i];
    if (length > size - begin)
        return bad_header(p, "the file ends within it");
    p->at = bytes + begin;
    p->end = p->at + length;
    return MFM_OK;
}

int mfm_npy_read(mfm_ctx *ctx, const char *path, const char *bytes, size_t size, mfm_npy *npy)
{
    parser p = {.ctx = ctx, .path = path};
    if (!mfm_npy_begins(bytes, size))
        return mfm_fail(ctx, MFM_EDATA, "%s: it does not begin as a .npy file does", path);
    int status = find_header(&p, bytes, size);
    if (status)
        return status;
    npy->numbers = p.end;
    status = read_dictionary(&p, npy);
    if (status)
        return status;
    const size_t told = (size_t)mfm_shape_count(&npy->shape) * type_size(npy);
    const size_t there = size - (size_t)(npy->numbers - bytes);
    char text[MFM_SHAPE_TEXT];
    if (told != there)
        return mfm_fail(ctx, MFM_EDATA, "%s: %zu bytes after the header: its shape %s needs %zu",
                        path, there, mfm_shape_text(&npy->shape, text), told);
    return MFM_OK;
}

/* Where the numbers of a column-major array are: its first axis is the fastest. */
static size_t place_of(const mfm_npy *npy, size_t number)
{
    if (!npy->column_major)
        return number;
    size_t index[MFM_MAX_RANK], place = 0;
    for (int i = npy->shape.rank; i-- > 0;) {
        index[i] = number % (size_t)npy->shape.dim[i];
        number /= (size_t)npy->shape.dim[i];
    }
    for (int i = npy->shape.rank; i-- > 0;)
        place = place * (size_t)npy->shape.dim[i] + index[i];
    return place;
}

void mfm_npy_numbers(const mfm_npy *npy, size_t first, size_t count, float *numbers)
{
    const size_t size = type_size(npy);
    for (size_t i = 0; i < count; i++) {
        unsigned char b[sizeof(double)];
        const char *from = npy->numbers + size * place_of(npy, first + i);
        for (size_t k = 0; k < size; k++) /* this machine's: lowest first */
            b[k] = (unsigned char)from[npy->big_endian ? size - 1 - k : k];
        double wide;
        int32_t narrow;
        int64_t whole;
        if (npy->type == MFM_NPY_FLOAT32) {
            memcpy(&numbers[i], b, sizeof numbers[i]);
        } else if (npy->type == MFM_NPY_INT32) {
            memcpy(&narrow, b, sizeof narrow);
            numbers[i] = (float)narrow;
        } else if (npy->type == MFM_NPY_INT64) {
            memcpy(&whole, b, sizeof whole);
            numbers[i] = (float)whole;
        } else if (npy->type == MFM_NPY_FLOAT64) {
            memcpy(&wide, b, sizeof wide);
            numbers[i] = (float)wide;
        } else
            numbers[i] = (float)b[0];
    }
}

size_t mfm_npy_header(const mfm_shape *shape, char header[MFM_NPY_HEADER])
{
    enum { BEGIN = MAGIC + 4 };
    memcpy(header, magic, MAGIC);
    header[MAGIC] = 1;
    header[MAGIC + 1] = 0;
    size_t used = BEGIN + (size_t)snprintf(header + BEGIN, MFM_NPY_HEADER - BEGIN,
                                           "{'descr': '<f4', 'fortran_order': False, 'shape': (");
    for (int i = 0; i < shape->rank; i++)
        used += (size_t)snprintf(header + used, MFM_NPY_HEADER - used, "%s%lld", i ? ", " : "",
                                 (long long)shape->dim[i]);
    used += (size_t)snprintf(header + used, MFM_NPY_HEADER - used, "%s), }",
                             shape->rank == 1 ? "," : "");
    while ((used + 1) % ALIGNMENT)
        header[used++] = ' ';
    header[used++] = '\n';
    header[MAGIC + 2] = (char)((used - BEGIN) & 0xFF);
    header[MAGIC + 3] = (char)((used - BEGIN) >> 8);
    return used;
}
