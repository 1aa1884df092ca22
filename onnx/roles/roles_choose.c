/* What the user says of tensors by name. */
#include <stdlib.h>
#include <string.h>

#include "onnx/roles/roles.h"

/* One list: what it is called, what it turns into what, and how that is told. */
typedef struct order {
    const char *name, *rule;
    mfm_fate from, to;
    const char *why;
    uint64_t tie; /* of the uses that change */
} order;

static const order freeze = {.name = "freeze",
                             .rule = "only what would be trained can be frozen",
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

/* What becomes of the members; name NULL: of whatever there is. */
static int apply(mfm_roles *r, const char *name, const order *o, const bool *members, bool exact)
{
    size_t hits = 0, injected = 0, last = 0;
    bool good = !name; /* a tensor is as asked for, now or already */
    for (size_t i = 0; i < r->n_tensors; i++) {
        mfm_tensor_role *role = &r->tensors[i];
        if (!members[i])
            continue;
        last = i;
        hits++;
        injected += role->injected;
        good |= role->fate == o->to && !role->injected;
        if (can_change(role, o)) {
            change(role, o);
            good = true;
        }
    }
    if (good)
        return MFM_OK;
    const char *rule = hits == injected ? "a modulator's own tensors cannot be chosen" : o->rule;
    if (exact)
        return mfm_fail(r->ctx, MFM_EINVAL, "%s: cannot %s '%.200s': it is %s (%s): %s",
                        mfm_model_path(r->model), o->name, name,
                        mfm_fate_name(r->tensors[last].fate), r->tensors[last].why, rule);
    return mfm_fail(r->ctx, MFM_EINVAL, "%s: cannot %s '%.200s': none of its %zu tensor%s: %s",
                    mfm_model_path(r->model), o->name, name, hits, hits == 1 ? "" : "s", rule);
}

static int choose(mfm_roles *r, const char *name, const order *o, bool *members)
{
    bool exact;
    const int status = mfm_roles_named(r, o->name, name, members, &exact);
    return status ? status : apply(r, name, o, members, exact);
}

/* All but the tensors of the names. */
static int choose_only(mfm_roles *r, const mfm_role_choice *choice, bool *members)
{
    bool exact, *kept = mfm_alloc(r->ctx, r->n_tensors, sizeof *kept);
    int status = kept ? MFM_OK : MFM_ENOMEM;
    for (size_t k = 0; k < choice->n_train_only && !status; k++) {
        status = mfm_roles_named(r, "train", choice->train_only[k], members, &exact);
        for (size_t i = 0; i < r->n_tensors && !status; i++)
            kept[i] |= members[i];
    }
    for (size_t i = 0; i < r->n_tensors && kept; i++)
        members[i] = !kept[i];
    if (!status && choice->n_train_only)
        status = apply(r, NULL, &freeze, members, false);
    mfm_free(r->ctx, kept);
    return status;
}

static int choose_before(mfm_roles *r, const char *layer, bool *members)
{
    size_t frozen = 0;
    const int status = mfm_roles_before(r, layer, members);
    for (size_t i = 0; i < r->n_tensors && !status; i++)
        frozen += members[i] && (can_change(&r->tensors[i], &freeze) || r->tensors[i].chosen);
    if (status)
        return status;
    if (frozen == 0)
        return mfm_fail(r->ctx, MFM_EINVAL,
                        "%s: cannot freeze before '%.200s': nothing that is trained lies there",
                        mfm_model_path(r->model), layer);
    return apply(r, NULL, &freeze, members, false);
}

/* "NAME=X": the last '=' parts them. */
static int choose_rate(mfm_roles *r, const char *text, bool *members)
{
    const char *sign = strrchr(text, '=');
    char *end = NULL;
    const double rate = sign ? strtod(sign + 1, &end) : 0;
    if (!sign || sign == text || end == sign + 1 || *end || !(rate >= 0 && rate <= 1e6))
        return mfm_fail(r->ctx, MFM_EINVAL,
                        "rate '%.200s': NAME=X with X from 0 to 1e6 is required: fc:1=0.1", text);
    char *name = mfm_format(r->ctx, "%.*s", (int)(sign - text), text);
    bool exact;
    int status = name ? mfm_roles_named(r, "set the rate of", name, members, &exact) : MFM_ENOMEM;
    size_t set = 0;
    for (size_t i = 0; i < r->n_tensors && !status; i++)
        if (members[i] && !r->tensors[i].injected && r->tensors[i].fate == MFM_FATE_TRAINED) {
            r->tensors[i].rate = rate;
            set++;
        }
    if (!status && !set)
        status = mfm_fail(r->ctx, MFM_EINVAL,
                          "%s: cannot set the rate of '%.200s': none of its tensors is trained by "
                          "it",
                          mfm_model_path(r->model), name);
    mfm_free(r->ctx, name);
    return status;
}

int mfm_roles_choose(mfm_roles *r, const mfm_role_choice *choice)
{
    bool *members = mfm_alloc(r->ctx, r->n_tensors, sizeof *members);
    int status = members ? choose_only(r, choice, members) : MFM_ENOMEM;
    for (size_t i = 0; i < choice->n_freeze && !status; i++)
        status = choose(r, choice->freeze[i], &freeze, members);
    if (!status && choice->freeze_before)
        status = choose_before(r, choice->freeze_before, members);
    for (size_t i = 0; i < choice->n_free && !status; i++)
        status = choose(r, choice->free[i], &set_free, members);
    for (size_t i = 0; i < choice->n_rates && !status; i++)
        status = choose_rate(r, choice->rates[i], members);
    mfm_free(r->ctx, members);
    return status;
}
