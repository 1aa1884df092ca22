#include "tools/options/groups/normalisation.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tools/options/groups/data_options.h"

const mfm_option mfm_normalisation_table[MFM_NORMALISATION_OPTIONS] = {
    {.name = "mean",
     .kind = MFM_OPTION_STRING,
     .value = "M",
     .offset = offsetof(mfm_normalisation_arguments, mean),
     .silent_default = true,
     .help = "what is subtracted from each channel, in units in which a byte of 255 is 1: numbers "
             "separated by commas; imagenet, with the std that goes with it; 0.5, with a std of "
             "0.5; bytes: 0 to 255 as they are; or data: mean and std of the images; of arrays: "
             "numbers in their own units, one for each feature or channel, or data (default: what "
             "the model tells; else data, and arrays as stored)"},
    {.name = "std",
     .kind = MFM_OPTION_STRING,
     .value = "S",
     .offset = offsetof(mfm_normalisation_arguments, std),
     .silent_default = true,
     .help = "and what it is divided by"},
    {.name = "normalise",
     .kind = MFM_OPTION_CHOICE,
     .value = "WHOSE",
     .choices = mfm_normalise_names,
     .offset = offsetof(mfm_normalisation_arguments, whose),
     .help = "use the mean and deviation that the model tells, if it does, or those of the "
             "dataset's training part"},
};

/* Names that stand for a mean, and for the std that goes with it unless one is given: torchvision's
 * classifiers, of which most others took them; bytes that become -1 to 1; and bytes as they are,
 * for a model that normalises them itself. */
static const struct {
    const char *name, *mean, *std;
    int channels; /* that it is for; 0: any */
} known[] = {{"imagenet", "0.485,0.456,0.406", "0.229,0.224,0.225", 3},
             {"0.5", "0.5", "0.5", 0},
             {"bytes", "0", "0.00392156862745098", 0}};
enum { KNOWN = sizeof known / sizeof known[0] };
static const char of_data[] = "data";

bool mfm_normalisation_of_data(const mfm_normalisation_arguments *arguments)
{
    return arguments->mean && strcmp(arguments->mean, of_data) == 0;
}

bool mfm_normalisation_given(const mfm_normalisation_arguments *arguments)
{
    return (arguments->mean || arguments->std) && !mfm_normalisation_of_data(arguments);
}

static int bad_numbers(mfm_ctx *ctx, const char *option, const char *text, size_t channels)
{
    return mfm_fail(ctx, MFM_EUSAGE,
                    "--%s: %.80s: expected a number, or %zu by comma, one for each channel%s",
                    option, text[0] ? text : "''", channels,
                    strcmp(option, "mean") == 0 ? "; or imagenet, bytes or data" : "");
}

static int parse_numbers(mfm_ctx *ctx, const char *option, const char *text, size_t channels,
                         double *numbers)
{
    const char *at = text;
    size_t count = 0;
    for (bool more = true; more; count++) {
        char *end;
        const double number = strtod(at, &end);
        if (end == at || !isfinite(number) || count == channels || (*end && *end != ','))
            return bad_numbers(ctx, option, text, channels);
        numbers[count] = number;
        more = *end == ',';
        at = end + more;
    }
    if (count != 1 && count != channels)
        return bad_numbers(ctx, option, text, channels);
    for (; count < channels; count++)
        numbers[count] = numbers[0];
    return MFM_OK;
}

/* mean NULL: there is only a std. */
static int lone_option(mfm_ctx *ctx, const char *mean)
{
    return mfm_fail(ctx, MFM_EUSAGE, "--%s goes with --%s", mean ? "mean" : "std",
                    mean ? "std" : "mean");
}

int mfm_normalisation_numbers(mfm_ctx *ctx, const mfm_normalisation_arguments *arguments,
                              size_t count, double *mean, double *deviation)
{
    const char *names = arguments->mean;
    for (int i = 0; names && i < KNOWN; i++)
        if (strcmp(names, known[i].name) == 0 && !(arguments->std && known[i].name[0] == '0'))
            return mfm_fail(ctx, MFM_EUSAGE,
                            "--mean %s: of images: arrays take numbers with --std, or data", names);
    if (!arguments->mean || !arguments->std)
        return lone_option(ctx, arguments->mean);
    const int status = parse_numbers(ctx, "mean", arguments->mean, count, mean);
    return status ? status : parse_numbers(ctx, "std", arguments->std, count, deviation);
}

int mfm_normalisation_parse(mfm_ctx *ctx, const mfm_normalisation_arguments *arguments,
                            int channels, mfm_normalisation *normalisation)
{
    const char *mean = arguments->mean, *std = arguments->std;
    *normalisation = (mfm_normalisation){.channels = channels, .scale = 255};
    for (int i = 0; mean && i < KNOWN; i++) {
        if (strcmp(mean, known[i].name) != 0)
            continue;
        if (known[i].channels && channels != known[i].channels)
            return mfm_fail(ctx, MFM_EUSAGE, "--mean %s: the model reads %d channel%s, not %d",
                            mean, channels, channels > 1 ? "s" : "", known[i].channels);
        mean = known[i].mean;
        std = std ? std : known[i].std;
    }
    if (!mean || !std)
        return lone_option(ctx, mean);
    int status = parse_numbers(ctx, "mean", mean, (size_t)channels, normalisation->mean);
    if (!status)
        status = parse_numbers(ctx, "std", std, (size_t)channels, normalisation->deviation);
    if (!status && mfm_normalisation_check(ctx, normalisation))
        status = mfm_fail_in(ctx, MFM_EUSAGE, "--mean, --std");
    return status;
}
