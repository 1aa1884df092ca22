#include "core/report/charts/svg_frame.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/report/charts/svg.h"

enum { TITLE_HEIGHT = 32, DATA_HEIGHT = 170, ROW = 15, SWATCH = 14, LONGEST = 40, ELLIPSIS = 11 };

enum { TICK_TEXT = 32, TICK_GAP = 5 };

/* A chart that is wider than a narrow screen is moved sideways there: its legend stays in sight. */
enum { LEGEND_WIDTH = MFM_CHART_WIDTH - MFM_CHART_LEFT - MFM_CHART_RIGHT };

const char mfm_svg_light[] =
    "--back: #fff; --text: #1c2430; --quiet: #5b6675; --rule: #dbe0e7; --hover: #1c243018; --mid: "
    "#000;\n"
    "  --c0: #2459b3; --c1: #b3540b; --c2: #1b7f4b; --c3: #a3123a; --c4: #7a3fb0; --c5: #00777f;\n"
    "  --c6: #846900; --c7: #b8338f; --c8: #5d4037; --c9: #546e7a; --c10: #3f51b5; --c11: #558b2f;";
const char mfm_svg_dark[] =
    "--back: #14181f; --text: #e5e9ef; --quiet: #9aa5b4; --rule: #323a46; --hover: #e5e9ef18; "
    "--mid: #000;\n"
    "  --c0: #82aef5; --c1: #f0a35e; --c2: #6fcf97; --c3: #ff7d9c; --c4: #c9a0f5; --c5: #5fd3d8;\n"
    "  --c6: #e0c65a; --c7: #f291cf; --c8: #c8a99c; --c9: #a9bdc8; --c10: #9fa8da; --c11: #aed581;";
const char mfm_svg_print[] = "--back: #fff; --text: #000; --quiet: #444; --rule: #ccc;";

const char mfm_svg_style[] =
    "svg { display: block; width: 100%; height: auto; font: 11px system-ui, sans-serif; }\n"
    "svg text { fill: var(--quiet); pointer-events: none; } svg text.title { fill: var(--text); "
    "font-weight: 600;\n"
    "  font-size: 12px; }\n"
    ".y, .name { text-anchor: end; } .x, .value { text-anchor: middle; }\n"
    ".value, .small { font-size: 9px; }\n"
    ".grid, .axis, .ideal { fill: none; stroke: var(--rule); } .axis { stroke: var(--quiet); }\n"
    ".ideal { stroke: var(--quiet); stroke-dasharray: 4 4; }\n"
    ".line { fill: none; stroke-width: 1.6; stroke-linejoin: round; }\n"
    ".dashed { stroke-dasharray: 5 3; } .hit { fill: transparent; } .hit:hover { fill: "
    "var(--hover); }\n"
    ".dot { opacity: .75; } .dot:hover { opacity: 1; stroke: var(--text); }\n"
    ".cell { fill: var(--c0); } .cell:hover { stroke: var(--text); stroke-width: 1; }\n"
    "svg text.onlight { fill: var(--text); } svg text.onmid { fill: var(--mid); }\n"
    "svg text.ondark { fill: var(--back); }\n"
    ".c0 { fill: var(--c0); stroke: var(--c0); } .c1 { fill: var(--c1); stroke: var(--c1); }\n"
    ".c2 { fill: var(--c2); stroke: var(--c2); } .c3 { fill: var(--c3); stroke: var(--c3); }\n"
    ".c4 { fill: var(--c4); stroke: var(--c4); } .c5 { fill: var(--c5); stroke: var(--c5); }\n"
    ".c6 { fill: var(--c6); stroke: var(--c6); } .c7 { fill: var(--c7); stroke: var(--c7); }\n"
    ".c8 { fill: var(--c8); stroke: var(--c8); } .c9 { fill: var(--c9); stroke: var(--c9); }\n"
    ".c10 { fill: var(--c10); stroke: var(--c10); } .c11 { fill: var(--c11); stroke: var(--c11); "
    "}\n"
    ".line.line { fill: none; } .bar, .dot { stroke: none; }\n";

/* A style sheet with var(--name) replaced by its value in light: not every program that draws SVG
 * knows variables. */
static void add_resolved(mfm_markup *file, const char *css)
{
    static const char begins[] = "var(";
    for (const char *var; (var = strstr(css, begins)) != NULL;) {
        const char *name = var + sizeof begins - 1;
        const size_t length = strcspn(name, ")");
        const char *value = mfm_svg_light;
        while ((value = strstr(value, "--")) != NULL &&
               (strncmp(value, name, length) != 0 || value[length] != ':'))
            value += 2;
        value = value ? value + length + 2 : "none;";
        mfm_markup_add(file, "%.*s%.*s", (int)(var - css), css, (int)strcspn(value, ";"), value);
        css = name + length + 1;
    }
    mfm_markup_add(file, "%s", css);
}

void mfm_svg_file(mfm_markup *file, const char *text, const mfm_figure *figure)
{
    const char *at = text + figure->start, *inside = strchr(at, '>') + 1;
    mfm_markup_add(file, "<svg xmlns=\"http://www.w3.org/2000/svg\"%.*s<style>",
                   (int)(inside - at) - 4, at + 4);
    add_resolved(file, mfm_svg_style);
    add_resolved(file, "</style><rect width=\"100%\" height=\"100%\" "
                       "style=\"fill: var(--back)\"/>");
    mfm_markup_add(file, "%.*s\n", (int)(text + figure->end - inside), inside);
}

size_t mfm_svg_shown(const char *name, size_t most)
{
    size_t length = strlen(name);
    if (length <= most + 1) /* an ellipsis would take as much */
        return length;
    for (length = most; length && ((unsigned char)name[length] & 0xC0) == 0x80;)
        length--;
    return length;
}

/* Lines of 11 stay apart where the distance times the sine of the turn is 12 or more. */
double mfm_svg_names_turn(double distance)
{
    return distance < 19 ? -65 : -40;
}

void mfm_svg_name(mfm_markup *m, const char *name, size_t most, double x, double y, double turn,
                  bool small)
{
    const size_t length = mfm_svg_shown(name, most);
    char text[LONGEST + 2] = "";
    memcpy(text, name, length);
    mfm_markup_add(m, "<text class=\"name%s\" x=\"%.2f\" y=\"%.2f\"", small ? " small" : "", x, y);
    if (turn != 0)
        mfm_markup_add(m, " transform=\"rotate(%g %.2f %.2f)\"", turn, x, y);
    mfm_markup_add(m, ">");
    mfm_markup_text(m, text);
    mfm_markup_add(m, "%s</text>\n", name[length] ? "&#8230;" : "");
}

void mfm_svg_open(mfm_markup *m, double width, double height, const char *title)
{
    mfm_markup_add(m, "<svg viewBox=\"0 0 %g %g\" role=\"img\" aria-label=\"", width, height);
    mfm_markup_text(m, title);
    mfm_markup_add(m, "\">\n<text class=\"title\" x=\"4\" y=\"14\">");
    mfm_markup_text(m, title);
    mfm_markup_add(m, "</text>\n");
}

static void add_legend(mfm_markup *m, const mfm_legend *l, size_t length, double x, double y)
{
    char text[LONGEST + 2] = "";
    memcpy(text, l->name, length);
    mfm_markup_add(m, "<rect class=\"c%d\" x=\"%g\" y=\"%g\" width=\"9\" height=\"9\"/>",
                   l->colour % MFM_CHART_COLOURS, x, y - 8);
    mfm_markup_add(m, "<text x=\"%g\" y=\"%g\">", x + SWATCH, y);
    mfm_markup_text(m, text);
    mfm_markup_add(m, "%s</text>\n", l->name[length] ? "&#8230;" : "");
}

double mfm_svg_text_width(const char *text, size_t length)
{
    double width = 0;
    for (size_t i = 0; i < length; i++)
        width += strchr("ijlt.,:;'!|()[]- ", text[i])      ? 4
                 : strchr("mwMW%@", text[i])               ? 10
                 : text[i] >= 'A' && text[i] <= 'Z'        ? 8
                 : ((unsigned char)text[i] & 0xC0) == 0x80 ? 0
                 : (unsigned char)text[i] >= 0xE0          ? 11 /* most such are Chinese */
                                                           : 6.6;
    return width;
}

double mfm_svg_names_width(const char *const *names, int count, size_t most)
{
    double longest = 0;
    for (int i = 0; i < count; i++) {
        const size_t length = mfm_svg_shown(names[i], most);
        const double width =
            mfm_svg_text_width(names[i], length) + (names[i][length] ? ELLIPSIS : 0);
        longest = fmax(longest, width);
    }
    return longest;
}

int mfm_svg_legend(mfm_markup *m, const mfm_legend *legend, int count, double left, double width,
                   double y)
{
    double x = left;
    int rows = count > 0;
    for (int i = 0; i < count; i++) {
        const size_t length = mfm_svg_shown(legend[i].name, LONGEST);
        const double wide = SWATCH + mfm_svg_text_width(legend[i].name, length) + 10;
        if (x > left && x + wide > left + width) {
            x = left;
            rows++;
        }
        if (m)
            add_legend(m, &legend[i], length, x, y + ROW * (rows - 1));
        x += wide;
    }
    return rows;
}

mfm_frame mfm_frame_make(const mfm_scale *y, double width, double below, const mfm_legend *legend,
                         int n_legend)
{
    const int shown = n_legend > 1 ? n_legend : 0;
    const int rows = mfm_svg_legend(NULL, legend, shown, MFM_CHART_LEFT, LEGEND_WIDTH, 0);
    const double top = TITLE_HEIGHT + ROW * rows;
    return (mfm_frame){.y = *y,
                       .width = width,
                       .height = top + DATA_HEIGHT + below,
                       .left = MFM_CHART_LEFT,
                       .top = top,
                       .right = width - MFM_CHART_RIGHT,
                       .bottom = top + DATA_HEIGHT,
                       .legend = legend,
                       .n_legend = shown};
}

double mfm_frame_y(const mfm_frame *f, double value)
{
    return f->bottom - mfm_scale_at(&f->y, value) * (f->bottom - f->top);
}

/* As the room beside the axis takes it: "1.5e-4" for 0.00015. */
static void write_tick(double value, char text[TICK_TEXT])
{
    snprintf(text, TICK_TEXT, "%.10g", value);
    if (mfm_svg_text_width(text, strlen(text)) <= MFM_CHART_LEFT - TICK_GAP)
        return;
    const int power = (int)floor(log10(fabs(value)) + 1e-12);
    snprintf(text, TICK_TEXT, "%.3ge%d", value / pow(10, power), power);
}

void mfm_frame_open(mfm_markup *m, const mfm_frame *f, const char *title)
{
    mfm_svg_open(m, f->width, f->height, title);
    mfm_svg_legend(m, f->legend, f->n_legend, f->left, LEGEND_WIDTH, TITLE_HEIGHT);
    for (int i = 0; i < f->y.n_ticks; i++) {
        const double y = mfm_frame_y(f, f->y.tick[i]);
        mfm_markup_add(m, "<path class=\"grid\" d=\"M%g %.2fH%g\"/>", f->left, y, f->right);
        char text[TICK_TEXT];
        write_tick(f->y.tick[i], text);
        mfm_markup_add(m, "<text class=\"y\" x=\"%g\" y=\"%.2f\">%s</text>\n", f->left - TICK_GAP,
                       y + 4, text);
    }
    mfm_markup_add(m, "<path class=\"axis\" d=\"M%g %gH%g\"/>\n", f->left, f->bottom, f->right);
}

void mfm_frame_close(mfm_markup *m)
{
    mfm_markup_add(m, "</svg>\n");
}
