#include "core/data/sources/files/image_scan.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/base/utf8.h"

enum { MAX_CLASSES = 65535 };

static void clear_classes(mfm_image_scan *s)
{
    for (size_t i = 0; i < s->classes.count; i++)
        mfm_free(s->ctx, s->classes.name[i]);
    mfm_free(s->ctx, s->classes.name);
    s->classes.name = NULL;
    s->classes.count = s->classes.room = 0;
}

void mfm_scan_clear(mfm_image_scan *s)
{
    clear_classes(s);
    mfm_file_list_clear(s->ctx, &s->train);
    mfm_file_list_clear(s->ctx, &s->test);
    mfm_free(s->ctx, s->other);
}

int mfm_scan_add_class(mfm_image_scan *s, const char *name)
{
    const int status =
        mfm_grow(s->ctx, &s->classes.name, s->classes.count, &s->classes.room, sizeof(char *));
    if (status != MFM_OK)
        return status;
    s->classes.name[s->classes.count] = mfm_strdup(s->ctx, name);
    return s->classes.name[s->classes.count] ? (s->classes.count++, MFM_OK) : MFM_ENOMEM;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int by_letters(const void *a, const void *b)
{
    const int order = strcasecmp(*(char *const *)a, *(char *const *)b);
    return order ? order : by_bytes(a, b);
}

static void remove_doubles(mfm_image_scan *s)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->classes.count; i++)
        if (kept > 0 && strcmp(s->classes.name[i], s->classes.name[kept - 1]) == 0)
            mfm_free(s->ctx, s->classes.name[i]);
        else
            s->classes.name[kept++] = s->classes.name[i];
    s->classes.count = kept;
}

/* Whoever wrote Cat and cat meant one class, as most file systems have it. Letters beyond A to Z
 * have no case here: that takes tables, which change from year to year. */
static int check_case(const mfm_image_scan *s, const char *where)
{
    char **name = s->classes.name;
    qsort(name, s->classes.count, sizeof *name, by_letters);
    for (size_t i = 1; i < s->classes.count; i++)
        if (strcasecmp(name[i - 1], name[i]) == 0 && strcmp(name[i - 1], name[i]) != 0)
            return mfm_fail(s->ctx, MFM_EDATA,
                            "%s: the classes %s and %s differ by case only: give both one name",
                            where, name[i - 1], name[i]);
    return MFM_OK;
}

/* The first class that is none of those that are told; NULL. */
static const char *not_told(const mfm_image_scan *s)
{
    const mfm_dataset_options *o = s->options;
    for (size_t i = 0; i < s->classes.count; i++) {
        int told = 0;
        while (told < o->classes && strcmp(o->class_names[told], s->classes.name[i]) != 0)
            told++;
        if (told == o->classes)
            return s->classes.name[i];
    }
    return NULL;
}

/* As the model numbers them. */
static int take_told(mfm_image_scan *s, const char *where)
{
    const mfm_dataset_options *o = s->options;
    const char *other = not_told(s);
    if (other && o->own_names)
        return MFM_OK;
    if (other)
        return mfm_fail(s->ctx, MFM_EDATA, "%s: %s is no class of the model", where, other);
    clear_classes(s);
    s->told = true;
    int status = MFM_OK;
    for (int c = 0; status == MFM_OK && c < o->classes; c++)
        status = mfm_scan_add_class(s, o->class_names[c]);
    return status;
}

/* A model tells its classes by their names, in JSON. */
static int check_names(const mfm_image_scan *s, const char *where)
{
    for (size_t i = 0; i < s->classes.count; i++)
        if (!mfm_utf8_is_name(s->classes.name[i]))
            return mfm_fail(s->ctx, MFM_EDATA,
                            "%s: the class %s: a name is UTF-8 without control characters: give it "
                            "such a one",
                            where, s->classes.name[i]);
    return MFM_OK;
}

int mfm_scan_settle_classes(mfm_image_scan *s, const char *where)
{
    if (s->classes.count == 0)
        return mfm_fail(s->ctx, MFM_EDATA, "%s: no class in it", where);
    int status = check_names(s, where);
    if (status == MFM_OK)
        status = check_case(s, where);
    if (status != MFM_OK)
        return status;
    qsort(s->classes.name, s->classes.count, sizeof(char *), by_bytes);
    remove_doubles(s);
    if (s->classes.count > MAX_CLASSES)
        return mfm_fail(s->ctx, MFM_EDATA, "%s: %zu classes: up to %d", where, s->classes.count,
                        MAX_CLASSES);
    return s->options->classes ? take_told(s, where) : MFM_OK;
}

int mfm_scan_find_class(const mfm_image_scan *s, const char *name)
{
    if (!s->told) {
        char **found =
            bsearch(&name, s->classes.name, s->classes.count, sizeof *s->classes.name, by_bytes);
        return found ? (int)(found - s->classes.name) : -1;
    }
    for (size_t c = 0; c < s->classes.count; c++)
        if (strcmp(s->classes.name[c], name) == 0)
            return (int)c;
    return -1;
}
