#include "core/data/sources/files/image_list.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/data/file_writer.h"
#include "core/data/sources/source.h"

static const char escaped[] = "\\\"\n\r\t", letters[] = "\\\"nrt";

/* ---- reading ---- */

/* The field at *at, in place: its end and *at move on. NULL after a broken quote. */
static char *next_field(char **at)
{
    char *from = *at, *start = from, *to = from;
    if (*from != '"') {
        from += strcspn(from, " \t");
        *at = from + strspn(from, " \t");
        *from = '\0';
        return start;
    }
    for (from++; *from && *from != '"'; from++) {
        const char *letter = *from == '\\' && from[1] ? strchr(letters, from[1]) : NULL;
        if (*from == '\\' && !letter)
            return NULL;
        *to++ = letter ? escaped[letter - letters] : *from;
        from += letter != NULL;
    }
    if (*from != '"' || (from[1] && !strchr(" \t", from[1])))
        return NULL;
    *at = from + 1 + strspn(from + 1, " \t");
    *to = '\0';
    return start;
}

static int read_line(mfm_ctx *ctx, const char *path, char *text, mfm_image_line *line)
{
    char *at = text + strspn(text, " \t");
    int fields = 0;
    memset(line->field, 0, sizeof line->field);
    if (*at == '#')
        return MFM_OK;
    for (; *at; fields++) {
        char *field = next_field(&at);
        if (!field)
            return mfm_fail(ctx, MFM_EDATA,
                            "%s:%d: a quote that does not end, or \\ before another letter than "
                            "\\, \", n, r, t",
                            path, line->number);
        if (fields == 3)
            return mfm_fail(ctx, MFM_EDATA,
                            "%s:%d: more than path, class and part: a name with blanks stands in "
                            "double quotes",
                            path, line->number);
        line->field[fields] = field;
    }
    if (fields == 1)
        return mfm_fail(ctx, MFM_EDATA, "%s:%d: no class: a line is PATH CLASS [PART]", path,
                        line->number);
    if (fields > 1 && (!*line->field[0] || !*line->field[1]))
        return mfm_fail(ctx, MFM_EDATA, "%s:%d: an empty name", path, line->number);
    return MFM_OK;
}

int mfm_image_list_read(mfm_ctx *ctx, const char *path,
                        int (*take)(void *self, const mfm_image_line *line), void *self)
{
    FILE *file = fopen(path, "re");
    char *text = NULL;
    size_t room = 0;
    int status = MFM_OK;
    mfm_image_line line = {.number = 0};
    if (!file)
        return mfm_fail(ctx, MFM_EIO, "%s: %s", path, strerror(errno));
    for (ssize_t length; status == MFM_OK && (length = getline(&text, &room, file)) >= 0;) {
        line.number++;
        while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == '\r'))
            text[--length] = '\0';
        char *from = line.number == 1 && strncmp(text, "\xEF\xBB\xBF", 3) == 0 ? text + 3 : text;
        if (strlen(text) != (size_t)length)
            status = mfm_fail(ctx, MFM_EDATA, "%s:%d: a byte of 0: no text", path, line.number);
        else
            status = read_line(ctx, path, from, &line);
        if (status == MFM_OK && line.field[0])
            status = take(self, &line);
    }
    if (status == MFM_OK && ferror(file))
        status = mfm_fail(ctx, MFM_EIO, "%s: %s", path, strerror(errno));
    free(text);
    fclose(file);
    return status;
}

/* ---- writing ---- */

static void put_field(mfm_file_writer *writer, const char *text, const char *after)
{
    const bool plain = text[0] && text[0] != '#' && !strpbrk(text, " \t\r\n\"");
    if (plain)
        mfm_file_writer_put(writer, text, strlen(text));
    else
        mfm_file_writer_put(writer, "\"", 1);
    for (; !plain && *text; text++) {
        const char *at = strchr(escaped, *text);
        const char pair[2] = {'\\', at ? letters[at - escaped] : '\0'};
        mfm_file_writer_put(writer, at ? pair : text, at ? 2 : 1);
    }
    if (!plain)
        mfm_file_writer_put(writer, "\"", 1);
    mfm_file_writer_put(writer, after, strlen(after));
}

static void put_part(mfm_file_writer *writer, const mfm_dataset *dataset, const mfm_images *images,
                     const char *part)
{
    for (uint32_t i = 0; i < images->count; i++) {
        put_field(writer, mfm_images_path(images, i), " ");
        put_field(writer, dataset->class_names[images->labels[i]], " ");
        put_field(writer, part, "\n");
    }
}

int mfm_image_list_write(mfm_ctx *ctx, const char *path, const mfm_dataset *dataset)
{
    static const char head[] = "# path class part\n";
    const mfm_images *train = &dataset->train, *test = &dataset->test;
    mfm_file_writer *writer;
    if ((train->count && !mfm_images_path(train, 0)) || (test->count && !mfm_images_path(test, 0)))
        return mfm_fail(ctx, MFM_EINVAL, "%s: its images are not in files of their own",
                        dataset->name);
    int status = mfm_file_writer_open(ctx, path, &writer);
    if (status != MFM_OK)
        return status;
    mfm_file_writer_put(writer, head, sizeof head - 1);
    put_part(writer, dataset, train, "train");
    put_part(writer, dataset, test, "test");
    status = mfm_file_writer_commit(writer, NULL);
    mfm_file_writer_close(writer);
    return status;
}
