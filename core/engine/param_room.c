#include "core/engine/param_room.h"

size_t mfm_param_extent(const mfm_graph *graph, size_t param)
{
    size_t next = param + 1;
    while (next < graph->n_values && graph->values[next].kind != MFM_VALUE_PARAM)
        next++;
    const size_t end = next < graph->n_values ? graph->values[next].offset : graph->params_size;
    return end - graph->values[param].offset;
}

int mfm_param_room_init(mfm_ctx *ctx, const mfm_graph *graph, const bool *holds,
                        mfm_param_room *room)
{
    *room = (mfm_param_room){.at = mfm_alloc(ctx, graph->n_values, sizeof *room->at)};
    if (!room->at)
        return MFM_ENOMEM;
    for (size_t i = 0; i < graph->n_values; i++) {
        const bool held = graph->values[i].kind == MFM_VALUE_PARAM && holds[i];
        room->at[i] = held ? room->size : MFM_NO_ROOM;
        room->size += held ? mfm_param_extent(graph, i) : 0;
    }
    return MFM_OK;
}

void mfm_param_room_clear(mfm_ctx *ctx, mfm_param_room *room)
{
    mfm_free(ctx, room->at);
    *room = (mfm_param_room){0};
}
