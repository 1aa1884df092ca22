#include "tools/options/role_options.h"

const mfm_option mfm_role_table[MFM_ROLE_OPTIONS] = {
    {.name = "fix",
     .kind = MFM_OPTION_STRINGS,
     .value = "T",
     .offset = offsetof(mfm_role_arguments, fix),
     .help = "tensor that is not trained: its name or a pattern, may be given several times; "
             "inspect --tensors lists them"},
    {.name = "free",
     .kind = MFM_OPTION_STRINGS,
     .value = "T",
     .offset = offsetof(mfm_role_arguments, free),
     .help = "tensor that is trained though the rules fix it, or --fix does"},
};

mfm_role_choice mfm_role_choice_of(const mfm_role_arguments *a)
{
    return (mfm_role_choice){
        .fix = a->fix.item, .n_fix = a->fix.count, .free = a->free.item, .n_free = a->free.count};
}
