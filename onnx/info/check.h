/*
 * What is wrong with a model, all of it at once: rules of the format, numbers, declared shapes,
 * metadata, and what keeps it from being trained.
 */
#ifndef MFM_ONNX_CHECK_H
#define MFM_ONNX_CHECK_H

#include <stddef.h>

#include "onnx/proto/model.h"

typedef enum mfm_severity {
    MFM_FINDING_ERROR,    /* a rule is broken: no runtime is bound to take the file */
    MFM_FINDING_OBSTACLE, /* valid, but cannot be trained here */
    MFM_FINDING_WARNING   /* works, but perhaps not as meant */
} mfm_severity;
/* "error", "obstacle", "warning" */
const char *mfm_severity_name(mfm_severity severity);

typedef struct mfm_finding {
    mfm_severity severity;
    char *text;
} mfm_finding;

typedef struct mfm_findings {
    mfm_ctx *ctx;
    mfm_finding *items;
    size_t count, capacity;
    int status; /* MFM_ENOMEM when a problem was lost */
} mfm_findings;

/* Released with mfm_findings_clear, also after a failure. MFM_EIO, MFM_ENOMEM. */
int mfm_model_check(mfm_ctx *ctx, const char *path, mfm_findings *problems);
void mfm_findings_clear(mfm_findings *problems);
size_t mfm_findings_of(const mfm_findings *problems, mfm_severity severity);

#endif
