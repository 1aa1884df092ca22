#include "core/train/losses/last_bias.h"

#include "core/train/training.h"

enum start { AS_IN_MODEL, BY_CLASSES };

typedef struct last_bias_values {
    int start;
} last_bias_values;

static const char *const starts[] = {[AS_IN_MODEL] = "model", [BY_CLASSES] = "classes", NULL};

static const char *not_started(const void *values, const mfm_run_facts *run)
{
    const mfm_train_options *o = run->options;
    if (((const last_bias_values *)values)->start == AS_IN_MODEL)
        return NULL;
    return o->method->keeps_model             ? "the method trains no tensor of the model"
           : !o->loss->starts_bias(o->chosen) ? "the loss is one over softmax probabilities"
                                              : NULL;
}

static const mfm_option table[] = {
    {.name = "last-bias",
     .kind = MFM_OPTION_CHOICE,
     .value = "START",
     .choices = starts,
     .offset = offsetof(last_bias_values, start),
     .idle = not_started,
     .help = "start the last layer's biases as in the model or, for a classifier that has not been "
             "trained, at -log(classes - 1), and then without weight decay"},
};
static const last_bias_values defaults = {.start = AS_IN_MODEL};
const mfm_settings mfm_last_bias_settings = MFM_SETTINGS("Sigmoid losses", table, defaults);

bool mfm_last_bias_chosen(const mfm_chosen *chosen)
{
    const last_bias_values *v = mfm_values_of(chosen, &mfm_last_bias_settings);
    return v->start == BY_CLASSES;
}
