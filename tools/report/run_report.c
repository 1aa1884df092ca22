#include "tools/report/run_report.h"

#include <string.h>

#include "tools/files.h"
#include "tools/report/run_record.h"
#include "tools/show/print_json.h"

static char *title_of(const mfm_run_record *r)
{
    const char *model = json_string_value(json_object_get(r->run, "model_file"));
    return mfm_format(r->ctx, "Training of %s", model ? model : "a model");
}

static char *summary_of(const mfm_run_record *r)
{
    return mfm_format(r->ctx, "Method %s on %s, imbalance %s: %d of %s epochs finished",
                      r->page.method, r->page.data, r->page.imbalance, r->page.epochs,
                      mfm_run_record_option(r, "epochs"));
}

static int write_page(mfm_run_record *r, const mfm_run_folder *folder, bool under_way)
{
    const char *title = mfm_run_record_keep(r, title_of(r));
    const char *summary = mfm_run_record_keep(r, summary_of(r));
    mfm_page_text *text = mfm_alloc(r->ctx, 1, sizeof *text);
    const mfm_page page = {.title = title,
                           .summary = summary,
                           .classes = r->classes,
                           .class_names = r->names,
                           .borders = mfm_class_borders_default,
                           .runs = &r->page,
                           .n_runs = 1,
                           .under_way = under_way};
    int status = title && summary && text ? mfm_page_html(r->ctx, &page, text) : MFM_ENOMEM;
    if (!status) {
        status = mfm_write_file(r->ctx, folder->report, text->markup.text, text->markup.length);
        mfm_markup_clear(&text->markup);
    }
    mfm_free(r->ctx, text);
    return status;
}

int mfm_run_report(mfm_ctx *ctx, const mfm_run_folder *folder, const mfm_confusion *latest,
                   bool under_way)
{
    mfm_run_record record;
    int status = mfm_run_record_read(ctx, folder->path, &mfm_class_borders_default, &record);
    if (!status) {
        record.page.confusion = latest;
        status = write_page(&record, folder, under_way);
    }
    mfm_run_record_clear(&record);
    return status;
}
