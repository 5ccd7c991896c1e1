/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables and figures of `glissade study averages`. Must not compute anything but the closed forms that it
 * asks for.
 */
#include "averages.h"
#include "figure.h"

#include <inttypes.h>
#include <string.h>

enum { SCRIPT_SIZE = 4096 };

static const char *const file_names[] = {
    "averages-normal.csv", "averages-cosine.csv", "averages-variance.csv",
    "averages-normal.svg", "averages-cosine.svg", "averages-variance.svg",
};

/*
 * What makes the same bytes again. Neither the folder nor --force: they change nothing in a table, and a
 * folder's path may tell whose machine it was.
 */
static void write_head(FILE *file, uint64_t seed) {
    fprintf(file, "# glissade study averages --seed %" PRIu64 "\n# version: %s\n# seed: %" PRIu64 "\n", seed,
            glissade_version(), seed);
}

/* ---- the two data models ---- */

static void write_series_rows(FILE *file, const struct averages_series *series) {
    fprintf(file, "x,y,truth,sma");
    for (size_t i = 0; i < AVERAGES_BETAS; ++i)
        fprintf(file, ",ewma_%g", averages_betas[i]);
    for (size_t i = 0; i < AVERAGES_BETAS; ++i)
        fprintf(file, ",debiased_%g", averages_betas[i]);
    fputc('\n', file);
    for (size_t row = 0; row < series->count; ++row) {
        /* Nine digits bring back every float. */
        fprintf(file, "%.9g,%.9g,%.9g,%.9g", series->x[row], series->y[row], series->truth[row],
                series->simple[row]);
        for (size_t i = 0; i < AVERAGES_BETAS; ++i)
            fprintf(file, ",%.9g", series->ewma[i][row]);
        for (size_t i = 0; i < AVERAGES_BETAS; ++i)
            fprintf(file, ",%.9g", series->debiased[i][row]);
        fputc('\n', file);
    }
}

static enum exit_code write_series(const struct averages_study *study, const struct averages_series *series,
                                   const char *folder, bool force) {
    char name[64];
    snprintf(name, sizeof name, "averages-%s.csv", series->name);
    enum exit_code exit_code;
    FILE *file = figure_open(folder, name, force, &exit_code);
    if (file == NULL)
        return exit_code;
    write_head(file, study->seed);
    fprintf(file,
            "# y = %s; every average by the library's SGD, point by point, from 0\n"
            "# sma: mean of all points so far; ewma_B: a = B a + (1 - B) y; debiased_B: that / (1 - B^t)\n",
            series->model);
    write_series_rows(file, series);
    return figure_close(file, folder, name);
}

/*
 * A panel for the simple average and for each beta; the sixth cell is the legend's, which so covers no data.
 * EWMA and its debiased twin coincide for most of the way: hence a broad line below a dashed one.
 */
static const char series_script[] =
    "table = 'averages-%s.csv'\n"
    "stats table using 'y' nooutput\n"
    "set yrange [STATS_min - 0.1 : STATS_max + 0.1]\n"
    "set xrange [-%d:%d]\n"
    "set multiplot layout 3,2 margins 0.085,0.985,0.07,0.915 spacing 0.085,0.085 title \\\n"
    "  '{/:Bold Moving averages of %zu points of y = %s}' font ',15' textcolor rgb ink\n"
    "unset key\n"
    "set style line 1 linecolor rgb '#d55e00' linewidth 3 dashtype solid\n"
    "set style line 2 linecolor rgb '#2384c8' linewidth 2 dashtype (6,4)\n"
    "set style line 3 linecolor rgb '#009e73' linewidth 2.5 dashtype solid\n"
    "set style line 4 linecolor rgb ink linewidth 1.5 dashtype (2,3)\n"
    "set style line 5 linecolor rgb faint pointtype 7 pointsize 0.35\n"
    "set title offset 0,-0.7\n"
    "set ylabel 'y' offset 1,0\n"
    "set title 'simple moving average'\n"
    "plot table using 'x':'y' with points ls 5, '' using 'x':'truth' with lines ls 4, \\\n"
    "  '' using 'x':'sma' with lines ls 3\n"
    "do for [beta in '0.01 0.5 0.9 0.99'] {\n"
    "  set title 'β = '.beta\n"
    "  if (beta eq '0.9' || beta eq '0.99') { set xlabel 'x' offset 0,0.5 }\n"
    "  plot table using 'x':'y' with points ls 5, '' using 'x':'truth' with lines ls 4, \\\n"
    "    '' using 'x':'ewma_'.beta with lines ls 1, '' using 'x':'debiased_'.beta with lines ls 2\n"
    "}\n"
    "unset title; unset xlabel; unset ylabel; unset border; unset tics; unset grid\n"
    "set yrange [0:1]\n"
    "set key at graph 0.5,0.5 center center Left reverse spacing 1.5 samplen 4\n"
    "plot NaN notitle, keyentry with points ls 5 pointsize 0.6 title 'points', \\\n"
    "  keyentry with lines ls 4 title 'what they scatter about', \\\n"
    "  keyentry with lines ls 3 title 'mean of all points so far', \\\n"
    "  keyentry with lines ls 1 title 'EWMA: a ← βa + (1 − β)y', \\\n"
    "  keyentry with lines ls 2 title 'debiased: a / (1 − β^t)'\n"
    "unset multiplot\n";

static enum exit_code draw_series(const struct averages_series *series, const char *folder) {
    char name[64], script[SCRIPT_SIZE];
    snprintf(name, sizeof name, "averages-%s", series->name);
    int edge = (int)series->x[series->count - 1];
    snprintf(script, sizeof script, series_script, series->name, edge, edge, series->count, series->model);
    return figure_draw(folder, name, 800, 780, script);
}

/* ---- variance ---- */

static enum exit_code write_variances(const struct averages_study *study, const char *folder, bool force) {
    const struct averages_variances *variances = &study->variances;
    const char *name = "averages-variance.csv";
    enum exit_code exit_code;
    FILE *file = figure_open(folder, name, force, &exit_code);
    if (file == NULL)
        return exit_code;
    write_head(file, study->seed);
    fprintf(file,
            "# variance of averages of independent points of variance 1 after step t; measured over %zu\n"
            "# repetitions, all stepped by the library's SGD, and closed form\n"
            "t",
            variances->repetitions);
    for (size_t i = 0; i < VARIANCE_BETAS; ++i)
        for (size_t j = 0; j < VARIANCE_AVERAGES; ++j)
            fprintf(file, ",%s_%g,%s_%g_closed", average_names[j], variance_betas[i], average_names[j],
                    variance_betas[i]);
    fputc('\n', file);
    for (size_t t = 1; t <= VARIANCE_STEPS; ++t) {
        fprintf(file, "%zu", t);
        for (size_t i = 0; i < VARIANCE_BETAS; ++i)
            for (size_t j = 0; j < VARIANCE_AVERAGES; ++j)
                fprintf(file, ",%.6g,%.6g", variances->measured[i][j][t - 1],
                        averages_variance((enum average)j, variance_betas[i], t));
        fputc('\n', file);
    }
    return figure_close(file, folder, name);
}

/*
 * Both axes logarithmic: at beta 0.5 all is over after five steps, at 0.99 not after two hundred. The legend
 * lies where the first panel is empty for every seed, points where they are evenly apart on such an axis.
 */
static const char variance_script[] =
    "table = 'averages-variance.csv'\n"
    "set logscale xy\n"
    "set xrange [1:220]\n"
    "set yrange [0.00008:1.6]\n"
    "set format y '10^{%%T}'\n"
    "set xtics (1, 3, 10, 30, 100)\n"
    "set multiplot layout 1,3 margins 0.085,0.985,0.135,0.8 spacing 0.02,0 title \\\n"
    "  \"{/:Bold Variance of averages of white noise of variance 1}\\n\\\n"
    "{/=12 lines: closed form; points: %zu repetitions of the library's own steps}\" \\\n"
    "  font ',15' textcolor rgb ink\n"
    "set xlabel 'step t' offset 0,0.4\n"
    "set ylabel 'variance' offset 0.5,0\n"
    "set style line 1 linecolor rgb '#d55e00' linewidth 2 dashtype solid pointtype 5 pointsize 0.45\n"
    "set style line 2 linecolor rgb '#2384c8' linewidth 2 dashtype (6,4) pointtype 7 pointsize 0.5\n"
    "set style line 3 linecolor rgb '#009e73' linewidth 2 dashtype (9,3,2,3) pointtype 9 pointsize 0.6\n"
    "marks = ' 1 2 3 4 6 9 13 20 30 50 70 100 140 200 '\n"
    "marked(name) = strstrt(marks, sprintf(' %%d ', int(column('t')))) ? column(name) : NaN\n"
    "do for [beta in '0.5 0.9 0.99'] {\n"
    "  set title 'β = '.beta offset 0,-0.7\n"
    "  if (beta eq '0.5') { set key at graph 0.97,0.12 right bottom samplen 3.5 spacing 1.4 }\n"
    "  else { unset key; set format y ''; unset ylabel }\n"
    "  if (beta eq '0.99') {\n"
    "    set arrow from 50,%.4g to 50,%.4g heads size screen 0.008,25 linecolor rgb ink\n"
    "    set label '%.0f times' at 46,%.4g right textcolor rgb ink\n"
    "  }\n"
    "  plot table using 't':'undampened_'.beta.'_closed' with lines ls 3 notitle, \\\n"
    "    '' using 't':'ewma_'.beta.'_closed' with lines ls 1 notitle, \\\n"
    "    '' using 't':'debiased_'.beta.'_closed' with lines ls 2 notitle, \\\n"
    "    '' using 't':(marked('undampened_'.beta)) with points ls 3 notitle, \\\n"
    "    '' using 't':(marked('ewma_'.beta)) with points ls 1 notitle, \\\n"
    "    '' using 't':(marked('debiased_'.beta)) with points ls 2 notitle, \\\n"
    "    keyentry with linespoints ls 3 title 'undampened first step', \\\n"
    "    keyentry with linespoints ls 2 title 'debiased EWMA', \\\n"
    "    keyentry with linespoints ls 1 title 'EWMA'\n"
    "}\n"
    "unset multiplot\n";

static enum exit_code draw_variances(const struct averages_variances *variances, const char *folder) {
    const double undampened = averages_variance(AVERAGE_UNDAMPENED, 0.99, 50);
    const double debiased = averages_variance(AVERAGE_DEBIASED, 0.99, 50);
    char script[SCRIPT_SIZE];
    snprintf(script, sizeof script, variance_script, variances->repetitions, debiased * 1.2, undampened / 1.2,
             undampened / debiased, 0.36 * undampened);
    return figure_draw(folder, "averages-variance", 800, 420, script);
}

enum exit_code averages_write(const struct averages_study *study, const char *folder, bool force) {
    enum exit_code exit_code = EXIT_CODE_OK;
    if (!force)
        exit_code = figure_absent(folder, file_names, sizeof file_names / sizeof file_names[0]);
    if (exit_code == EXIT_CODE_OK)
        exit_code = write_series(study, &study->normal, folder, force);
    if (exit_code == EXIT_CODE_OK)
        exit_code = write_series(study, &study->cosine, folder, force);
    if (exit_code == EXIT_CODE_OK)
        exit_code = write_variances(study, folder, force);
    if (exit_code == EXIT_CODE_OK)
        exit_code = draw_series(&study->normal, folder);
    if (exit_code == EXIT_CODE_OK)
        exit_code = draw_series(&study->cosine, folder);
    if (exit_code == EXIT_CODE_OK)
        exit_code = draw_variances(&study->variances, folder);
    return exit_code;
}
