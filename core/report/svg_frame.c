#include "core/report/svg_frame.h"

enum { WIDTH = 720, LEFT = 56, RIGHT = 12, TOP = 40, DATA_HEIGHT = 200 };

mfm_frame mfm_frame_make(const mfm_scale *y, double below)
{
    return (mfm_frame){.y = *y,
                       .width = WIDTH,
                       .height = TOP + DATA_HEIGHT + below,
                       .left = LEFT,
                       .top = TOP,
                       .right = WIDTH - RIGHT,
                       .bottom = TOP + DATA_HEIGHT};
}

double mfm_frame_y(const mfm_frame *f, double value)
{
    return f->bottom - mfm_scale_at(&f->y, value) * (f->bottom - f->top);
}

void mfm_frame_open(mfm_markup *m, const mfm_frame *f, const char *title)
{
    mfm_markup_add(m, "<svg viewBox=\"0 0 %g %g\" role=\"img\" aria-label=\"", f->width, f->height);
    mfm_markup_text(m, title);
    mfm_markup_add(m, "\">\n<text class=\"title\" x=\"%g\" y=\"14\">", f->left);
    mfm_markup_text(m, title);
    mfm_markup_add(m, "</text>\n");
    for (int i = 0; i < f->y.n_ticks; i++) {
        const double y = mfm_frame_y(f, f->y.tick[i]);
        mfm_markup_add(m, "<path class=\"grid\" d=\"M%g %.2fH%g\"/>", f->left, y, f->right);
        mfm_markup_add(m, "<text class=\"y\" x=\"%g\" y=\"%.2f\">%.10g</text>\n", f->left - 6,
                       y + 4, f->y.tick[i]);
    }
    mfm_markup_add(m, "<path class=\"axis\" d=\"M%g %gH%g\"/>\n", f->left, f->bottom, f->right);
}

void mfm_frame_close(mfm_markup *m)
{
    mfm_markup_add(m, "</svg>\n");
}
