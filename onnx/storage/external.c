#include "onnx/storage/external.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "onnx/storage/file_read.h"
#include "onnx/storage/outline.h"
#include "onnx/storage/remote.h"
#include "onnx/proto/validate.h"
#include "onnx/proto/walk.h"

enum { MOST_FILES = 64 }; /* that stay open; of others the tensors are read at once */

/* Where a tensor's bytes are. */
typedef struct range {
    const char *location, *tensor;
    uint64_t offset, length;
    bool has_length;
} range;

typedef struct loader {
    mfm_model *model;
    const char *folder;
    range *ranges; /* of the tensors met; texts are owned */
    size_t n_ranges, capacity;
} loader;

static int refuse(const loader *l, const Onnx__TensorProto *t, int code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static int refuse(const loader *l, const Onnx__TensorProto *t, int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    mfm_vfail(l->model->ctx, code, format, args);
    va_end(args);
    return mfm_fail_in(l->model->ctx, code, "%s: external data of %s", l->model->path,
                       mfm_proto_text(t->name));
}

/* Decimal digits only: no sign, no space, no overflow. */
static bool read_number(const char *text, uint64_t *number)
{
    *number = 0;
    for (const char *c = text; *c; c++)
        if (*c < '0' || *c > '9' || __builtin_mul_overflow(*number, 10u, number) ||
            __builtin_add_overflow(*number, (uint64_t)(*c - '0'), number))
            return false;
    return text[0] != '\0';
}

static int read_range(const loader *l, const Onnx__TensorProto *t, range *r)
{
    *r = (range){0};
    for (size_t i = 0; i < t->n_external_data; i++) {
        const char *key = mfm_proto_text(t->external_data[i]->key);
        const char *value = mfm_proto_text(t->external_data[i]->value);
        uint64_t *number = strcmp(key, "offset") == 0   ? &r->offset
                           : strcmp(key, "length") == 0 ? &r->length
                                                        : NULL;
        if (strcmp(key, "location") == 0)
            r->location = value;
        if (number && !read_number(value, number))
            return refuse(l, t, MFM_EDATA, "%s '%s': not a number of bytes", key, value);
        r->has_length |= number == &r->length;
    }
    if (!r->location || !r->location[0])
        return refuse(l, t, MFM_EDATA, "no location: a file must be named");
    return MFM_OK;
}

/* Opens the first `length` bytes of name within folder. */
static int open_part(int folder, const char *name, size_t length, int flags)
{
    char part[NAME_MAX + 1];
    if (length > NAME_MAX) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(part, name, length);
    part[length] = '\0';
    return openat(folder, part, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | flags);
}

static int refuse_open(const loader *l, const Onnx__TensorProto *t, const char *location)
{
    if (errno == ELOOP || errno == ENOTDIR)
        return refuse(l, t, MFM_EDATA, "location '%s': links are not followed", location);
    return refuse(l, t, MFM_EIO, "location '%s': %s", location, strerror(errno));
}

/* Walks the location part by part, so that no part can be a link or lead upwards. */
static int open_location(const loader *l, const Onnx__TensorProto *t, const char *location, int *fd)
{
    if (location[0] == '/')
        return refuse(l, t, MFM_EDATA, "location '%s': it must be relative", location);
    int folder = open(l->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return refuse(l, t, MFM_EIO, "folder '%s': %s", l->folder, strerror(errno));
    for (const char *part = location;;) {
        const size_t length = strcspn(part, "/");
        const bool last = part[length] == '\0';
        if (length == 0 || (length == 2 && memcmp(part, "..", 2) == 0)) {
            close(folder);
            return refuse(l, t, MFM_EDATA, "location '%s': it must stay in the model's folder",
                          location);
        }
        const int next = open_part(folder, part, length, last ? 0 : O_DIRECTORY);
        const int error = errno;
        close(folder);
        errno = error;
        if (next < 0)
            return refuse_open(l, t, location);
        if (last) {
            *fd = next;
            return MFM_OK;
        }
        folder = next;
        part += length + 1;
    }
}

/* The file is regular, has one name, and holds the range. */
static int check_file(const loader *l, const Onnx__TensorProto *t, const range *r, int fd)
{
    struct stat st;
    if (fstat(fd, &st))
        return refuse(l, t, MFM_EIO, "location '%s': %s", r->location, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return refuse(l, t, MFM_EDATA, "location '%s': not a regular file", r->location);
    if (st.st_nlink != 1)
        return refuse(l, t, MFM_EDATA, "location '%s': it has %lu names: one is allowed",
                      r->location, (unsigned long)st.st_nlink);
    const uint64_t size = (uint64_t)st.st_size;
    if (r->offset > size || r->length > size - r->offset)
        return refuse(l, t, MFM_EDATA, "offset %llu, length %llu: '%s' ends at %llu",
                      (unsigned long long)r->offset, (unsigned long long)r->length, r->location,
                      (unsigned long long)size);
    return MFM_OK;
}

/* The bytes that shape and type ask for. */
static int find_length(const loader *l, const Onnx__TensorProto *t, uint64_t *count,
                       uint64_t *length)
{
    const int status = mfm_tensor_count(l->model, t, count);
    if (status)
        return status;
    const unsigned bits = mfm_element_bits(t->data_type);
    if (!bits)
        return refuse(l, t, MFM_EDATA, "element type %d: it has no fixed size", t->data_type);
    if (*count > UINT64_MAX / 128)
        return refuse(l, t, MFM_EDATA, "%llu elements: too many", (unsigned long long)*count);
    *length = (*count * bits + 7) / 8;
    return MFM_OK;
}

/* A length that was left out is what shape and type ask for: other tensors may follow. */
static int check_range(const loader *l, const Onnx__TensorProto *t, range *r, int fd)
{
    uint64_t count = 0, length = 0;
    int status = find_length(l, t, &count, &length);
    if (status)
        return status;
    if (!r->has_length)
        r->length = length;
    status = check_file(l, t, r, fd);
    if (status)
        return status;
    return r->length == length
               ? MFM_OK
               : refuse(l, t, MFM_EDATA, "%llu bytes: its shape and type ask for %llu elements",
                        (unsigned long long)r->length, (unsigned long long)count);
}

static int check_size(const loader *l, const Onnx__TensorProto *t, const range *r)
{
    return r->length > INT_MAX ? refuse(l, t, MFM_ENOTSUP, "%llu bytes: a tensor ends at 2 GiB",
                                        (unsigned long long)r->length)
                               : MFM_OK;
}

/* Kept to be compared: what lies where. */
static int keep_range(loader *l, const Onnx__TensorProto *t, const range *r)
{
    int status = mfm_grow(l->model->ctx, &l->ranges, l->n_ranges, &l->capacity, sizeof *l->ranges);
    if (status)
        return status;
    range kept = *r;
    kept.location = mfm_strdup(l->model->ctx, r->location);
    kept.tensor = mfm_strdup(l->model->ctx, mfm_proto_text(t->name));
    l->ranges[l->n_ranges++] = kept;
    return kept.location && kept.tensor ? MFM_OK : MFM_ENOMEM;
}

static int by_place(const void *a, const void *b)
{
    const range *x = a, *y = b;
    const int order = strcmp(x->location, y->location);
    if (order)
        return order;
    if (x->offset != y->offset)
        return x->offset < y->offset ? -1 : 1;
    return (x->length > y->length) - (x->length < y->length);
}

/* One range may be two tensors, but two ranges share no byte: an offset is wrong then. */
static int check_apart(loader *l)
{
    if (l->n_ranges)
        qsort(l->ranges, l->n_ranges, sizeof *l->ranges, by_place);
    const range *widest = l->ranges;
    for (size_t i = 1; i < l->n_ranges; i++) {
        const range *r = &l->ranges[i];
        const bool same_file = strcmp(r->location, widest->location) == 0;
        if (same_file && r->length && r->offset < widest->offset + widest->length &&
            by_place(r, widest) != 0)
            return mfm_fail(l->model->ctx, MFM_EDATA,
                            "%s: external data of %s and %s: their ranges in '%s' overlap",
                            l->model->path, widest->tensor, r->tensor, r->location);
        if (!same_file || r->offset + r->length > widest->offset + widest->length)
            widest = r;
    }
    return MFM_OK;
}

static int read_bytes(const loader *l, const Onnx__TensorProto *t, const range *r, int fd,
                      uint8_t *bytes)
{
    const ssize_t got = mfm_read_at(fd, bytes, r->length, r->offset);
    if (got < 0 || (uint64_t)got < r->length)
        return refuse(l, t, MFM_EIO, "location '%s': %s", r->location,
                      got < 0 ? strerror(errno) : "it became shorter");
    return MFM_OK;
}

/* From here on the tensor is like any other; saving puts it outside again. */
static int settle(loader *l, Onnx__TensorProto *t)
{
    mfm_model *m = l->model;
    int status =
        mfm_grow(m->ctx, &m->outside, m->n_outside, &m->outside_capacity, sizeof *m->outside);
    char *name = status ? NULL : mfm_strdup(m->ctx, mfm_proto_text(t->name));
    if (!name)
        return MFM_ENOMEM;
    m->outside[m->n_outside++] = name;
    while (t->n_external_data)
        mfm_proto_remove(m, &t->external_data, &t->n_external_data, t->n_external_data - 1);
    t->has_data_location = 0;
    t->data_location = ONNX__TENSOR_PROTO__DATA_LOCATION__DEFAULT;
    t->has_raw_data = 1;
    return MFM_OK;
}

/* The bytes into memory. */
static int read_now(loader *l, Onnx__TensorProto *t, const range *r, int fd)
{
    uint8_t *bytes = mfm_proto_new(l->model, r->length);
    int status = bytes ? read_bytes(l, t, r, fd, bytes) : MFM_ENOMEM;
    if (!status)
        status = settle(l, t);
    if (status)
        mfm_free(l->model->ctx, bytes);
    else
        t->raw_data = (ProtobufCBinaryData){r->length, bytes};
    return status;
}

/* The file stays open, and the tensor in it until it is wanted: reading, and not mapping it, tells
 * of a file that becomes shorter, where a mapping ends the process. */
static int read_later(loader *l, Onnx__TensorProto *t, const range *r, int fd)
{
    const int status = settle(l, t);
    return status ? status : mfm_remote_add(l->model, t, r->length, r->offset, fd);
}

static int load_range(loader *l, Onnx__TensorProto *t, range *r, int fd, bool open)
{
    int status = check_range(l, t, r, fd);
    if (!status)
        status = check_size(l, t, r);
    if (!status)
        status = keep_range(l, t, r);
    mfm_free(l->model->ctx, t->raw_data.data);
    t->raw_data = (ProtobufCBinaryData){0};
    if (status)
        return status;
    return open && r->length >= MFM_OUTLINE_LEAST ? read_later(l, t, r, fd) : read_now(l, t, r, fd);
}

/* The open file of a location, opened at its first use; *stays tells whether it is kept. */
static int find_file(loader *l, const Onnx__TensorProto *t, const char *location, int *fd,
                     bool *stays)
{
    mfm_model *m = l->model;
    *stays = true;
    for (size_t i = 0; i < m->n_beside; i++)
        if (strcmp(m->beside[i].location, location) == 0) {
            *fd = m->beside[i].fd;
            return MFM_OK;
        }
    int status = open_location(l, t, location, fd);
    *stays = m->n_beside < MOST_FILES;
    if (status || !*stays)
        return status;
    status = mfm_grow(m->ctx, &m->beside, m->n_beside, &m->beside_capacity, sizeof *m->beside);
    char *name = status ? NULL : mfm_strdup(m->ctx, location);
    if (!name) {
        close(*fd);
        return MFM_ENOMEM;
    }
    m->beside[m->n_beside++] = (mfm_beside){name, *fd};
    return MFM_OK;
}

static int load_tensor(void *self, Onnx__TensorProto *t)
{
    loader *l = self;
    if (t->data_location != ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL)
        return MFM_OK;
    if (!l->folder)
        return refuse(l, t, MFM_ENOTSUP,
                      "it lies beside the model's file, and the model was not read from a file");
    range r;
    int fd = -1;
    bool stays = false;
    int status = read_range(l, t, &r);
    if (!status)
        status = find_file(l, t, r.location, &fd, &stays);
    if (status)
        return status;
    status = load_range(l, t, &r, fd, stays);
    if (!stays)
        close(fd);
    return status;
}

int mfm_external_load(mfm_model *model, const char *folder)
{
    loader l = {.model = model, .folder = folder};
    const mfm_visitor visitor = {.tensor = load_tensor, .self = &l};
    int status = mfm_walk_model(model, &visitor);
    if (!status)
        status = check_apart(&l);
    for (size_t i = 0; i < l.n_ranges; i++) {
        mfm_free(model->ctx, (char *)l.ranges[i].location);
        mfm_free(model->ctx, (char *)l.ranges[i].tensor);
    }
    mfm_free(model->ctx, l.ranges);
    mfm_remote_sort(model);
    return status;
}
