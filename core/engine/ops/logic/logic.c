#include "core/engine/ops/logic/logic.h"

const mfm_port mfm_logic_numbers[] = {
    {"A", MFM_DATA, false, false}, {"B", MFM_DATA, false, false}, {0}};
const mfm_port mfm_logic_truths[] = {
    {"A", MFM_INDEX, false, false}, {"B", MFM_INDEX, false, false}, {0}};
const mfm_port mfm_logic_result[] = {{"C", MFM_INDEX, false, false}, {0}};
