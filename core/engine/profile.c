#include "core/engine/profile.h"

static mfm_profile_pass *find(const mfm_profile *p, const mfm_event *event)
{
    for (size_t i = 0; i < p->n_passes; i++)
        if (p->passes[i].plan == event->plan && p->passes[i].pass == event->pass)
            return &p->passes[i];
    return NULL;
}

static mfm_profile_pass *add(mfm_profile *p, const mfm_event *event)
{
    p->status = mfm_grow(p->ctx, &p->passes, p->n_passes, &p->capacity, sizeof *p->passes);
    mfm_profile_sum *nodes =
        p->status ? NULL : mfm_alloc(p->ctx, mfm_plan_nodes(event->plan), sizeof *nodes);
    if (!nodes) {
        p->status = MFM_ENOMEM;
        return NULL;
    }
    mfm_profile_pass *pass = &p->passes[p->n_passes++];
    *pass = (mfm_profile_pass){.plan = event->plan, .pass = event->pass, .nodes = nodes};
    return pass;
}

static void on_event(void *self, const mfm_event *event)
{
    mfm_profile *p = self;
    if (p->status)
        return;
    mfm_profile_pass *pass = find(p, event);
    if (!pass)
        pass = add(p, event);
    if (!pass)
        return;
    mfm_profile_sum *sum = event->node == MFM_WHOLE_PASS ? &pass->whole : &pass->nodes[event->node];
    sum->calls++;
    sum->nanoseconds += event->end - event->begin;
}

void mfm_profile_begin(mfm_ctx *ctx, mfm_profile *profile)
{
    *profile = (mfm_profile){.ctx = ctx, .observer = {.on_event = on_event, .self = profile}};
    mfm_ctx_observe(ctx, &profile->observer);
}

int mfm_profile_end(mfm_profile *profile)
{
    mfm_ctx_unobserve(profile->ctx, &profile->observer);
    return profile->status;
}

void mfm_profile_clear(mfm_profile *profile)
{
    for (size_t i = 0; i < profile->n_passes; i++)
        mfm_free(profile->ctx, profile->passes[i].nodes);
    mfm_free(profile->ctx, profile->passes);
}
