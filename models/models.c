#include "models/models.h"

#include <string.h>

#include "models/family.h"
#include "onnx/proto/nearest.h"

#define FAMILY(x) extern const mfm_family mfm_family_##x;
#include "models/models.def"
#undef FAMILY

static const mfm_family *const families[] = {
#define FAMILY(x) &mfm_family_##x,
#include "models/models.def"
#undef FAMILY
};
enum { N_FAMILIES = sizeof families / sizeof families[0] };

const mfm_architecture *mfm_model_at(size_t index)
{
    for (size_t i = 0; i < N_FAMILIES; i++) {
        if (index < families[i]->count)
            return &families[i]->members[index];
        index -= families[i]->count;
    }
    return NULL;
}

static const mfm_family *find(const char *name, const mfm_architecture **member)
{
    for (size_t i = 0; i < N_FAMILIES; i++)
        for (size_t k = 0; k < families[i]->count; k++)
            if (strcmp(families[i]->members[k].name, name) == 0) {
                *member = &families[i]->members[k];
                return families[i];
            }
    return NULL;
}

static int fail_unknown(mfm_ctx *ctx, const char *text)
{
    mfm_nearest near;
    mfm_nearest_init(&near, text);
    const mfm_architecture *member;
    for (size_t i = 0; (member = mfm_model_at(i)); i++)
        mfm_nearest_offer(&near, member->name);
    char suggestion[MFM_SUGGEST_TEXT];
    mfm_nearest_say(&near, suggestion);
    return mfm_fail(ctx, MFM_EINVAL, "unknown architecture: %.80s%s", text,
                    suggestion[0] ? suggestion : ": 'onnx-mfm new --help' lists them");
}

/* Replaces a 0 by the default and checks the range. */
static int settle(mfm_ctx *ctx, const char *what, int64_t least, int64_t fallback, int64_t *value)
{
    enum { MOST = 1 << 16 };
    if (*value == 0)
        *value = fallback;
    if (*value < least || *value > MOST)
        return mfm_fail(ctx, MFM_EINVAL, "bad %s: %lld: from %lld to %d", what, (long long)*value,
                        (long long)least, MOST);
    return MFM_OK;
}

static int settle_all(mfm_ctx *ctx, const mfm_model_options *defaults, mfm_model_options *options)
{
    int status = settle(ctx, "number of classes", 2, defaults->classes, &options->classes);
    if (!status)
        status = settle(ctx, "number of channels", 1, defaults->channels, &options->channels);
    if (!status)
        status = settle(ctx, "image height", 1, defaults->height, &options->height);
    if (!status)
        status = settle(ctx, "image width", 1, defaults->width, &options->width);
    return status;
}

int mfm_model_make(mfm_ctx *ctx, const char *name, const mfm_model_options *options,
                   mfm_model **model)
{
    *model = NULL;
    const mfm_architecture *member;
    const mfm_family *family = find(name, &member);
    if (!family)
        return fail_unknown(ctx, name);
    mfm_model_options settled = options ? *options : family->defaults;
    mfm_builder *b;
    int status = settle_all(ctx, &family->defaults, &settled);
    if (!status)
        status = mfm_builder_new(ctx, name, settled.seed, &b);
    if (status)
        return status;
    const mfm_value x =
        mfm_build_input(b, "input", settled.channels, settled.height, settled.width);
    mfm_build_output(b, "logits", family->build(b, x, member->layout, &settled));
    status = mfm_builder_finish(b, model);
    return status ? mfm_fail_in(ctx, status, "%s for images of %lldx%lldx%lld", name,
                                (long long)settled.channels, (long long)settled.height,
                                (long long)settled.width)
                  : MFM_OK;
}
