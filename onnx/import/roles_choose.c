/* What the user says of tensors by name. */
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "onnx/proto/nearest.h"
#include "onnx/import/roles.h"

/* One list: what it is called, what it turns into what, and how that is told. */
typedef struct order {
    const char *name, *rule;
    mfm_fate from, to;
    const char *why;
    uint64_t tie; /* of the uses that change */
} order;

static const order fix = {.name = "fix",
                          .rule = "only what would be trained can be fixed",
                          .from = MFM_FATE_TRAINED,
                          .to = MFM_FATE_FIXED,
                          .why = "by choice"};
static const order set_free = {.name = "free",
                               .rule = "only what would be fixed can be trained",
                               .from = MFM_FATE_FIXED,
                               .to = MFM_FATE_TRAINED,
                               .why = "by choice",
                               .tie = UINT64_MAX};

static bool can_change(const mfm_tensor_role *role, const order *o)
{
    return !role->injected && role->tensor && role->fate == o->from;
}

static void change(mfm_tensor_role *role, const order *o)
{
    role->chosen = true;
    role->fate = o->to;
    for (size_t i = 0; i < role->n_uses; i++)
        if (role->uses[i].fate == o->from) {
            role->uses[i].fate = o->to;
            role->uses[i].why = o->why;
            role->uses[i].tie = o->tie;
        }
}

static int refuse_unknown(const mfm_roles *r, const char *pattern, const order *o)
{
    char text[MFM_SUGGEST_TEXT];
    mfm_nearest near;
    mfm_nearest_init(&near, pattern);
    for (size_t i = 0; i < r->n_tensors; i++)
        if (!r->tensors[i].injected)
            mfm_nearest_offer(&near, r->tensors[i].name);
    mfm_nearest_say(&near, text);
    return mfm_fail(r->ctx, MFM_EINVAL, "%s: cannot %s '%.200s': no tensor is called so%s",
                    mfm_model_path(r->model), o->name, pattern,
                    text[0] ? text : ": inspect --tensors lists them");
}

static int choose(mfm_roles *r, const char *pattern, const order *o)
{
    size_t index, hits = 0, injected = 0;
    bool good = false; /* a tensor is as asked for, now or already */
    const bool exact = mfm_strmap_get(&r->map, pattern, &index);
    for (size_t i = exact ? index : 0; i < (exact ? index + 1 : r->n_tensors); i++) {
        mfm_tensor_role *role = &r->tensors[i];
        if (!exact && fnmatch(pattern, role->name, 0) != 0)
            continue;
        hits++;
        injected += role->injected;
        good |= role->fate == o->to && !role->injected;
        if (can_change(role, o)) {
            change(role, o);
            good = true;
        }
    }
    if (hits == 0)
        return refuse_unknown(r, pattern, o);
    if (good)
        return MFM_OK;
    const char *rule = hits == injected ? "a modulator's own tensors cannot be chosen" : o->rule;
    if (exact)
        return mfm_fail(r->ctx, MFM_EINVAL, "%s: cannot %s '%.200s': it is %s (%s): %s",
                        mfm_model_path(r->model), o->name, pattern,
                        mfm_fate_name(r->tensors[index].fate), r->tensors[index].why, rule);
    return mfm_fail(r->ctx, MFM_EINVAL, "%s: cannot %s '%.200s': none of its %zu tensor%s: %s",
                    mfm_model_path(r->model), o->name, pattern, hits, hits == 1 ? "" : "s", rule);
}

int mfm_roles_choose(mfm_roles *roles, const mfm_role_choice *choice)
{
    int status = MFM_OK;
    for (size_t i = 0; i < choice->n_fix && !status; i++)
        status = choose(roles, choice->fix[i], &fix);
    for (size_t i = 0; i < choice->n_free && !status; i++)
        status = choose(roles, choice->free[i], &set_free);
    return status;
}
