/*
 * The README's program in C around its lines for ONNX Runtime (serve_lines.h, taken from there):
 * serve MODEL IMAGE INPUT OUTPUT prints the class of an image file. The image is made by the
 * library's reader, as the model tells; nothing else of the library is used.
 */
#include <core/data/image_reader.h>
#include <onnx/info/class_info.h>
#include <onnx/info/preprocess_info.h>
#include <onnxruntime_c_api.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct served {
    mfm_ctx *ctx;
    mfm_preprocess_info told;
    mfm_class_info *classes;
    float *image; /* [channels, height, width] */
} served;

/* The reader has channels last. */
static int read_planes(served *s, const char *path)
{
    mfm_preprocess how;
    mfm_image_reader *reader = NULL;
    const size_t channels = (size_t)s->told.channels;
    const size_t places = (size_t)s->told.height * (size_t)s->told.width;
    real *pixels = malloc(channels * places * sizeof *pixels);
    s->image = malloc(channels * places * sizeof *s->image);
    int status = !pixels || !s->image || mfm_preprocess_files(s->ctx, &s->told, &how) ||
                 mfm_image_reader_new(s->ctx, &how, &reader) ||
                 mfm_image_reader_read(reader, path, pixels);
    for (size_t i = 0; !status && i < channels * places; i++)
        s->image[i % channels * places + i / channels] = (float)pixels[i];
    mfm_image_reader_free(s->ctx, reader);
    free(pixels);
    return status;
}

static int classify(const served *s, const char *model, const char *input_name,
                    const char *output_name)
{
    float *image = s->image;
    const int64_t shape[4] = {1, s->told.channels, s->told.height, s->told.width};
    const size_t numbers = (size_t)(shape[1] * shape[2] * shape[3]);
#include "serve_lines.h"
    int best = 0;
    for (int c = 1; c < s->classes->classes; c++)
        best = logits[c] > logits[best] ? c : best;
    return best;
}

int main(int argc, char **argv)
{
    served s = {.ctx = mfm_ctx_new(NULL)};
    mfm_model *model = NULL;
    bool found = false;
    if (argc != 5 || !s.ctx)
        return 2;
    int status = mfm_model_open(s.ctx, argv[1], &model);
    if (!status)
        status = mfm_preprocess_info_read(s.ctx, model, &s.told, &found);
    if (!status)
        status = mfm_class_info_read(s.ctx, model, &s.classes);
    if (!status && found && s.classes)
        status = read_planes(&s, argv[2]);
    if (!status && found && s.classes)
        puts(s.classes->names[classify(&s, argv[1], argv[3], argv[4])]);
    else
        fprintf(stderr, "%s\n", status ? mfm_message(s.ctx) : "the model tells nothing");
    free(s.image);
    mfm_class_info_free(s.ctx, s.classes);
    mfm_model_free(model);
    mfm_ctx_free(s.ctx);
    return status || !found;
}
